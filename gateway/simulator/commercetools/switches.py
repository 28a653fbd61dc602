"""What commercetools' documents leave open, each with a switch."""

from dataclasses import dataclass
from typing import Literal

from gateway.simulator.overrides import Overridable


@dataclass(kw_only=True, slots=True)
class Switches(Overridable):
    """Read anew for every request, so that a test can turn one at any time.

    Where the documents say nothing the default is what seems most likely; nothing here was tried
    on the live API.
    """

    assignments_predicate: Literal["supported", "refused"] = "supported"
    """Customers by ``customerGroupAssignments(customerGroup(id="..."))``: found, or 400."""

    group_predicates: Literal["name", "id", "key"] = "id"
    """What predicates on groups know: the name, which is all that is documented; the id beside it,
    as paging without offsets needs it; or also the key."""

    conflict_version: Literal["given", "absent"] = "given"
    """Whether a 409 says what the current version is."""

    version_step: Literal["actions", "one"] = "actions"
    """An update's step: its number of actions, or 1. Without actions nothing changes."""

    delete_referenced: Literal["bad_request", "conflict", "remove", "dangle"] = "bad_request"
    """Deleting a group that customers are in: ReferenceExists with 400 or with 409, the references
    go with it, or they stay and refer to nothing."""

    add_assigned: Literal["ok", "error"] = "ok"
    """Adding an assignment that is there: no second one, or 400 InvalidOperation."""

    remove_unassigned: Literal["ok", "error"] = "ok"
    """Removing an assignment that is not there: no change, or 400 InvalidOperation."""

    missing_member: Literal["invalid_json", "required_field"] = "invalid_json"
    """A body without a member that is required: 400 InvalidJsonInput or RequiredField."""

    default_order: Literal["creation", "id"] = "creation"
    """The order of rows without sort, and of those that sort alike: oldest first, or by id."""

    total: Literal["exact", "low", "high"] = "exact"
    """The total of a query, which is called an estimate: right, or wrong by at least one."""

    no_assignments: Literal["list", "absent"] = "list"
    """A customer without assignments: an empty list, or no such member."""

    max_groups: int = 10_000
    """The most groups in a project; 1000 by the older documents."""

    latency: float = 0.0
    """Seconds before a request is looked at."""
