"""Which changes `gateway doctor --write` may send: those of groups that this run has made itself,
and of their members, where these are customers that were named to it, or that nobody is.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from typing import Any, Final

from gateway.backends.commercetools import adapter as commercetools
from gateway.backends.commercetools import members
from gateway.backends.flow_retail import adapter as flow_retail
from gateway.doctor.asking import CannotTell

MARK: Final = "gateway-doctor-"


class NotOurs(Exception):
    """A change of what is not the doctor's: its own mistake, of which nothing was sent."""


class Guard:
    """Lets a change pass, or raises NotOurs. Whatever is not known here does not pass."""

    def __init__(self, tenant: str, customers: Collection[str]) -> None:
        """`customers` are those that were named on the command line, in that order."""
        self.tenant = tenant
        self.customers = dict.fromkeys(customers).keys()
        self.mark = MARK + secrets.token_hex(8)
        """How each name, uid and key begins that this run makes up: nobody else has one of these.
        """
        self.created: set[str] = set()
        """The uids of groups that this run has made, or has sent a request to make."""
        self.homes: dict[str, set[str]] = {}
        """The groups that each named customer was seen in: it may be put back there."""
        self.held: dict[str, str | None] = {}
        """commercetools' `customerGroup` of each named customer: that may be put back."""

    def marked(self, value: object) -> bool:
        """Whether this run has made this value up."""
        return isinstance(value, str) and value.startswith(self.mark)

    def admit(self, uid: object, *marks: object) -> None:
        """From now on `uid` is a group of ours, if an answer shows one of our marks on it."""
        if not isinstance(uid, str) or not any(map(self.marked, marks)):
            raise CannotTell("the answer is about a group that is not the doctor's")
        self.created.add(uid)

    def require(
        self, method: str, template: str, path: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> None:
        """Raises NotOurs unless this change may be sent."""
        if self.tenant not in (path.get("tenantUid"), path.get("projectKey")) or not self._may(
            method, template, path, body or {}
        ):
            raise NotOurs(f"{method} {template} would change what is not the doctor's own.")

    def _may(
        self, method: str, template: str, path: Mapping[str, str], body: Mapping[str, Any]
    ) -> bool:
        match method, template:
            case "POST", flow_retail.GROUPS:
                return self._made_up(body, {"customerGroupUid", "name"})
            case "PUT", flow_retail.GROUP:
                ours = path.get("customerGroupUid") in self.created
                return ours and self._made_up(body, body.keys() & {"name"})
            case "DELETE", flow_retail.GROUP:
                return path.get("customerGroupUid") in self.created and not body
            case "PUT", flow_retail.MEMBERS:
                return self._may_edit(path.get("customerGroupUid", ""), **body)
            case "POST", commercetools.GROUPS:
                return self._made_up(body, {"groupName", "key"})
            case "POST", commercetools.GROUP:
                ours = path.get("id") in self.created
                return ours and all(map(self._may_act, body.get("actions", [{}])))
            case "DELETE", commercetools.GROUP:
                return path.get("id") in self.created and not body
            case "POST", members.CUSTOMER:
                uid = path.get("id", "")
                moves = [self._may_move(uid, **action) for action in body.get("actions", [{}])]
                return uid in self.customers and all(moves)
            case _:
                return False

    def _made_up(self, body: Mapping[str, Any], names: Collection[str]) -> bool:
        """Whether the body has just these members, and we have made up the value of each."""
        return body.keys() == set(names) and all(map(self.marked, body.values()))

    def _may_edit(
        self,
        group: str,
        *,
        addCustomerUids: Collection[str] = (),
        removeCustomerUids: Collection[str] = (),
        **more: object,
    ) -> bool:
        if more:
            return False
        if group in self.created:
            uids = {*addCustomerUids, *removeCustomerUids}
            return all(uid in self.customers or self.marked(uid) for uid in uids)
        back = all(group in self.homes.get(uid, ()) for uid in addCustomerUids)
        return back and not removeCustomerUids and self.customers >= {*addCustomerUids}

    def _may_act(self, action: Mapping[str, Any]) -> bool:
        """Whether an action on a group of ours leaves it marked as one."""
        match action:
            case {"action": "changeName", "name": value} | {"action": "setKey", "key": value}:
                return len(action) == 2 and self.marked(value)
            case {"action": "setCustomField", "name": name}:
                return len(action) == 2 and self.marked(name)  # it has no such field to lose
            case _:
                return action == {"action": "changeName"}  # which can't be carried out

    def _may_move(self, uid: str, *, action: str = "", **to: Any) -> bool:
        """Whether an action on a named customer is about a group of ours, or about one that it was
        in.
        """
        held = self.held.get(uid)
        match action, to:
            case "addCustomerGroupAssignment", {"customerGroupAssignment": assignment}:
                allowed = self.created | self.homes.get(uid, set())
                return any(assignment == {"customerGroup": reference(each)} for each in allowed)
            case "removeCustomerGroupAssignment", {"customerGroup": group}:
                return any(group == reference(each) for each in self.created)
            case "setCustomerGroup", {"customerGroup": group}:
                allowed = self.created if held is None else self.created | {held}
                return any(group == reference(each) for each in allowed)
            case "setCustomerGroup", _:
                return not to and uid in self.held and held is None
            case _:
                return False


def reference(group: str) -> Mapping[str, str]:
    """As commercetools refers to a group."""
    return {"typeId": "customer-group", "id": group}
