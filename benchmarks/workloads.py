"""What is measured: operations on the gateway's schema, and the answers that everyone has to give.

A peer whose schema can't have the same names gets texts of its own that give the same answers, by
aliases: see benchmarks.roster.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, cycle

from benchmarks.answers import Answers
from benchmarks.shop import PROJECT, Json, Shop

NEW = "n00000000"
"""Stands in W7's text for a name that no text had before; always as long."""

_GROUP = "uid name createdAt createdBy lastModifiedAt lastModifiedBy"
_CUSTOMER = """uid displayName firstname lastname companyName email mobile
        address postalCode city countryCode createdAt"""
_ADDRESSES = "addresses { uid type displayName address postalCode city countryCode }"
_EVERY_FIELD = """id uid tenantUid customerType displayName firstname lastname companyName
        email mobile address postalCode city countryCode vatNumber
        externalId origin createdAt lastModifiedAt
        addresses {
          uid type displayName firstname lastname companyName
          address postalCode city countryCode email phone
        }
        contacts {
          uid displayName firstname lastname email mobile role createdAt lastModifiedAt
          extensions { code organizationUid }
        }
        extensions { code organizationUid }
        consents { uid name status source createdAt }
        parentUid pricelistUid loyaltyId credit { limit balance } paymentTerms internalNote
        accountManager { tenantUserUid displayName userCode }
        defaultStore { uid name } relevance ehf { enabled address } ehfEnabled ledgerNumber
        customerGroupUids"""

LIST = f"""query List {{
  customerGroups(first: 50) {{ nodes {{ {_GROUP} }} }}
}}"""
NESTED = f"""query Nested {{
  customerGroups(first: 20) {{
    nodes {{
      uid name
      customers(first: 20) {{ nodes {{ {_CUSTOMER} {_ADDRESSES} }} }}
    }}
  }}
}}"""
THEIR_GROUPS = """query TheirGroups($uid: ID!) {
  customerGroup(by: { uid: $uid }) {
    customers(first: 50) { nodes { uid displayName customerGroups { uid name } } }
  }
}"""
ONE = f"""query One($uid: ID!) {{
  customerGroup(by: {{ uid: $uid }}) {{ {_GROUP} }}
}}"""
EVERYTHING = f"""query Everything($uid: ID!) {{
  customerGroup(by: {{ uid: $uid }}) {{
    customers(first: 100) {{ nodes {{ {_EVERY_FIELD} }} }}
  }}
}}"""
NEW_TEXT = f"""query {NEW} {{
  customerGroups(first: 50) {{ nodes {{ {_GROUP.replace("name", f"{NEW}: name")} }} }}
}}"""
EDIT = """mutation Edit($group: ID!, $uids: [ID!]!) {
  updateCustomerGroupMembers(
    input: { customerGroup: { uid: $group }, addCustomerUids: $uids }
  ) {
    results { customerUid action status }
    userErrors { code }
  }
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    name: str
    title: str
    text: str
    variables: Sequence[Json] = ({},)
    """One after another, over and over."""
    expected: Callable[[Json], Json]
    """The `data` for these variables."""
    rest_calls: int
    """As few as the API allows; held for ours and for bare."""
    tenant: str | None = None
    """The X-Tenant header."""
    connections: int = 16
    latency: float = 0.0
    """Seconds that each REST call takes longer."""
    hops: int = 0
    """REST calls that have to wait for one another."""
    numbers: Iterator[int] | None = None
    """What `NEW` is numbered with, so that every text that is ever sent is another."""

    def requests(
        self, path: str, *, text: str | None = None, headers: Mapping[str, str]
    ) -> Iterator[bytes]:
        """HTTP requests without end."""
        given = dict(headers) | ({"X-Tenant": self.tenant} if self.tenant else {})
        made = [
            post(path, text or self.text, given, variables=variables)
            for variables in self.variables
        ]
        if self.numbers is None:
            return cycle(made)
        return (made[0].replace(NEW.encode(), b"n%08d" % n) for n in self.numbers)


def post(path: str, query: str, headers: Mapping[str, str], *, variables: Json) -> bytes:
    """A GraphQL request as it goes over the wire."""
    content = json.dumps({"query": query, "variables": variables}).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        "Accept: application/graphql-response+json, application/json",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def workloads(shop: Shop) -> list[Workload]:
    answers = Answers(shop)
    new_uids = [f"{n:08x}-0b5e-4c1d-8e2f-7a6b5c4d3e2f" for n in range(10_000)]
    nested = Workload(
        name="W2",
        title="20 groups x 20 customers, 12 fields + addresses",
        text=NESTED,
        expected=answers.nested,
        rest_calls=21,
    )
    listed = Workload(
        name="W1",
        title="50 groups x 6 fields",
        text=LIST,
        expected=lambda _: answers.listed("name"),
        rest_calls=1,
    )
    return [
        listed,
        nested,
        replace(
            nested,
            name="W2c",
            title="W2 on commercetools",
            expected=answers.nested_commercetools,
            tenant=PROJECT,
        ),
        Workload(
            name="W3",
            title="50 customers x their groups, 20 distinct",
            text=THEIR_GROUPS,
            variables=[{"uid": shop.club}],
            expected=answers.their_groups,
            rest_calls=5,
        ),
        Workload(
            name="W4",
            title="one group by uid",
            text=ONE,
            variables=[{"uid": uid} for uid in shop.uids],
            expected=answers.one,
            rest_calls=1,
        ),
        Workload(
            name="W5",
            title="100 customers, every field",
            text=EVERYTHING,
            variables=[{"uid": uid} for uid in shop.uids[:20]],
            expected=answers.everything,
            rest_calls=2,
        ),
        replace(
            nested,
            name="W6",
            title="W2, REST calls take 20 ms longer, one client",
            connections=1,
            latency=0.02,
            hops=2,
        ),
        Workload(
            name="W7",
            title="W1, every text new",
            text=NEW_TEXT,
            expected=lambda _: answers.listed(NEW),
            rest_calls=1,
            numbers=count(1),
        ),
        Workload(
            name="W8",
            title="a membership edit of 10,000",
            text=EDIT,
            variables=[{"group": shop.uids[0], "uids": new_uids}],
            expected=answers.edit,
            rest_calls=20,
            connections=2,
        ),
    ]
