"""ariadne-codegen: a client with a method and models for each operation."""

import sys

from build.typed_client import Client
from build.typed_client.enums import CustomerGroupUserErrorCode
from build.typed_client.exceptions import GraphQLClientGraphQLMultiError

url, token, group = sys.argv[1:]
client = Client(url=url, headers={"Authorization": f"Bearer {token}"})

page = client.members(id=group, first=3)
members = [edge.node.id for edge in page.customer_group.customers.edges]
assert len(set(members)) == 3
assert page.customer_group.customers.page_info.has_next_page

late = client.rename(id=group, name="Too late", revision="an older one").update_customer_group
assert [each.code for each in late.user_errors] == [CustomerGroupUserErrorCode.REVISION_CONFLICT]

failed = None
try:
    client.here_and_there(other="nobody")
except GraphQLClientGraphQLMultiError as error:
    failed = error
assert failed.errors[0].extensions["code"] == "FORBIDDEN"
assert failed.data["there"] is None
