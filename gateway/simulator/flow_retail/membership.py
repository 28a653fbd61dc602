"""Adding and removing customers of a group, with all that the documents leave open about it."""

from collections.abc import Sequence

from gateway.simulator.flow_retail.refusal import Refusal
from gateway.simulator.flow_retail.store import NotThere, Store
from gateway.simulator.flow_retail.switches import Switches


def edit_members(
    store: Store,
    tenant: str,
    group: str,
    *,
    add: Sequence[str],
    remove: Sequence[str],
    switches: Switches,
) -> None:
    """Add the customers, then remove the others, each in the order given; Refusal if one can't be.

    A uid twice in one list counts once. The group must be there.
    """
    most = switches.max_membership_uids
    if most is not None and len(add) + len(remove) > most:
        status = 413 if switches.too_many_uids == "too_large" else 400
        raise Refusal(status, f"At most {most} customers can be added and removed at once.")
    adding, removing = dict.fromkeys(add), dict.fromkeys(remove)
    if both := adding.keys() & removing.keys():
        match switches.in_both_lists:
            case "refuse":
                raise Refusal(400, "A customer can't be both added and removed.")
            case "add_wins":
                removing = {uid: None for uid in removing if uid not in both}
            case "remove_wins":
                adding = {uid: None for uid in adding if uid not in both}

    refusal: Refusal | None = None
    with store.transaction():
        try:
            for uid in adding:
                add_one(store, tenant, group, uid, switches)
            for uid in removing:
                remove_one(store, tenant, group, uid, switches)
        except Refusal as error:
            if switches.membership_atomic:
                raise
            refusal = error  # raised past the transaction, which keeps what came before
    if refusal is not None:
        raise refusal


def add_one(store: Store, tenant: str, group: str, uid: str, switches: Switches) -> None:
    """Add one customer; Refusal as switched."""
    try:
        added = store.add_member(tenant, group, uid)
    except NotThere:
        refuse_unknown(switches)
        return
    if not added and switches.already_member != "ok":
        status = 409 if switches.already_member == "conflict" else 400
        raise Refusal(status, "A customer is in the group already.")


def remove_one(store: Store, tenant: str, group: str, uid: str, switches: Switches) -> None:
    """Remove one customer; Refusal as switched."""
    try:
        removed = store.remove_member(tenant, group, uid)
    except NotThere:
        refuse_unknown(switches)
        return
    if not removed and switches.absent_member == "conflict":
        raise Refusal(409, "A customer is not in the group.")


def refuse_unknown(switches: Switches) -> None:
    """What becomes of the uid of no customer."""
    match switches.unknown_customer:
        case "not_found":
            raise Refusal(404, "There is no such customer.")
        case "bad_request":
            raise Refusal(400, "There is no such customer.")
        case "ignore":
            pass
