"""gql: operations that are checked against the schema before they are sent."""

import sys
from pathlib import Path

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXTransport

url, token, group = sys.argv[1:]
operations = Path("operations.graphql").read_text(encoding="utf-8")
client = Client(
    transport=HTTPXTransport(url=url, headers={"Authorization": f"Bearer {token}"}),
    schema=Path("build/schema.graphql").read_text(encoding="utf-8"),
)


def run(operation, **variables):
    return client.execute(
        GraphQLRequest(operations, operation_name=operation, variable_values=variables)
    )


members, after = [], None
while True:
    found = run("Members", id=group, first=3, after=after)["customerGroup"]["customers"]
    members += [edge["node"]["id"] for edge in found["edges"]]
    after = found["pageInfo"]["endCursor"]
    if not found["pageInfo"]["hasNextPage"]:
        break
assert len(set(members)) == 7

# What fails raises; what did not is in `data`.
failed = None
try:
    run("HereAndThere", other="nobody")
except TransportQueryError as error:
    failed = error
assert failed.errors[0]["extensions"]["code"] == "FORBIDDEN"
assert failed.data["there"] is None
assert len(failed.data["here"]["edges"]) == 1
