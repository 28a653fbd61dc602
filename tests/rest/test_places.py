"""Fair places, in a simulation of their own: a clock, callers, and calls that take their time."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rest._places import (
    MAX_GROUPS,
    MAX_SURE,
    TURN,
    WAITING,
    Flow,
    Full,
    Place,
    Places,
    Ticket,
)

LIST, GROUP, MEMBERS = "/groups", "/groups/{uid}", "/groups/{uid}/customers"
TIMEOUT = 5.0
QUICK = 0.03


@dataclass
class Simulation:
    """An upstream with 64 places and a timeout of five seconds, as by default."""

    capacity: int = 64
    slow: float = 1.0
    now: float = 0.0
    most: int = 0
    """The most places that were taken at once."""
    refused: int = 0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _number: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.places = Places(self.capacity, slow=self.slow, clock=lambda: self.now)

    def at(self, when: float, then: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._number), then))

    def run(self, until: float = 1e9) -> None:
        tick = self.now
        while self._events and self._events[0][0] <= until:
            when, _, then = heapq.heappop(self._events)
            while self.places.waiting and tick + 0.25 < when:  # as the upstream does it
                tick = max(tick + 0.25, self.now)
                self.now = tick
                self.places.tick()
                if self._events and self._events[0][0] < when:
                    break
            if self._events and self._events[0][0] < when:
                self.at(when, then)
                continue
            self.now = max(self.now, when)
            then()
            self.most = max(self.most, self.places.running)
            assert self.places.running <= self.capacity

    def call(
        self,
        flow: Flow,
        template: str,
        seconds: float,
        then: Callable[[float], None] = lambda waited: None,
        *,
        patience: float = 10.0,
    ) -> None:
        """One call that takes `seconds`, at most the timeout; `then` is told for how long it has
        waited for its place, infinitely if that was for more than `patience`.
        """
        asked = self.now

        def begin(place: Place) -> None:
            nonlocal waiting
            waiting = False

            def end() -> None:
                self.places.leave(place, answered=seconds < TIMEOUT, accepted=True)
                then(place.began - asked)

            self.at(self.now + min(seconds, TIMEOUT), end)

        waiting = True
        place = self.places.take(flow, template)
        if place is not None:
            begin(place)
            return
        try:
            ticket: Ticket = self.places.wait(flow, template, begin)
        except Full:
            self.refused += 1
            then(float("inf"))
            return

        def give_up() -> None:
            if waiting:
                self.places.withdraw(ticket)
                then(float("inf"))

        self.at(asked + patience, give_up)

    def caller(
        self,
        tenant: str,
        templates: Sequence[str],
        seconds: Callable[[float], float],
        *,
        token: str = "",
        begins: float = 0.0,
        times: int = 1_000_000,
        pause: float = 0.0,
        side_by_side: int = 1,
    ) -> list[float]:
        """One who asks again and again, each time with a new operation; how long its calls have
        waited.
        """
        waits: list[float] = []
        digest = (token or tenant).encode()

        def operation(left: int) -> None:
            flow = Flow(tenant, digest)
            unanswered = side_by_side

            def done(waited: float) -> None:
                nonlocal unanswered
                waits.append(waited)
                unanswered -= 1
                if not unanswered and left > 1:
                    self.at(self.now + max(pause, 0.003), lambda: operation(left - 1))

            for number in range(side_by_side):
                template = templates[number % len(templates)]
                self.call(flow, template, seconds(self.now), done)

        self.at(begins, lambda: operation(times))
        return waits


def quickly(_now: float) -> float:
    return QUICK


def never(_now: float) -> float:
    return 1e9


HUNG = {
    "one tenant, one endpoint": lambda number: ("ill", [LIST]),
    "one tenant, all endpoints": lambda number: ("ill", [(LIST, GROUP, MEMBERS)[number % 3]]),
    "many tenants": lambda number: (f"ill-{number}", [LIST]),
    "the same tenant, another endpoint": lambda number: ("well", [MEMBERS]),
    "the same tenant and endpoint": lambda number: ("well", [LIST]),
}


@pytest.mark.slow
@pytest.mark.parametrize("where", HUNG)
@pytest.mark.parametrize("calls", [1, 60])
def test_who_is_answered_quickly_does_not_wait_behind_200_who_hang(where, calls):
    """Each of them with a token of its own, and none comes to an end."""
    world = Simulation()
    healthy = world.caller("well", [LIST], quickly, pause=0.05)
    wide = world.caller("well", [GROUP], quickly, pause=0.2, side_by_side=20)
    for number in range(200):
        tenant, templates = HUNG[where](number)
        world.caller(
            tenant,
            templates,
            never,
            token=f"token-{number}",
            begins=1.0 + number / 400,
            side_by_side=calls,
            pause=1.0,
        )

    world.run(until=9.0)

    assert len(healthy) > 100
    assert max(healthy) < 0.05
    assert max(wide) < 0.1
    assert 32 <= world.most <= 64


@pytest.mark.slow
@pytest.mark.parametrize("where", list(HUNG)[:4])
def test_it_is_the_same_where_those_who_hang_were_answered_quickly_before(where):
    """All 200 of them begin to hang at the same moment, in the middle of what they do."""
    world = Simulation()
    healthy = world.caller("well", [LIST], quickly, token="ada", pause=0.05)  # noqa: S106
    for number in range(200):
        tenant, templates = HUNG[where](number)
        world.caller(
            tenant,
            templates,
            lambda now: QUICK if now < 5.0 else 1e9,
            token=f"token-{number}",
            begins=1.0 + number / 400,
            pause=0.6,
        )

    world.run(until=20.0)

    late = [wait for wait in healthy if wait > 0.05]
    # Where each of them is a tenant of its own, nothing tells who is ill until the first are late.
    assert len(late) <= (1 if where == "many tenants" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["one tenant, one endpoint", "many tenants"])
def test_who_is_slow_now_and_then_does_not_wait_behind_who_hangs(where):
    """As where the process is too busy to look at answers in time."""
    world = Simulation()
    numbers = itertools.count()
    healthy = world.caller(
        "well", [LIST], lambda _: 1.3 if next(numbers) % 5 == 4 else QUICK, pause=0.05
    )
    for number in range(200):
        tenant, templates = HUNG[where](number)
        world.caller(tenant, templates, never, token=f"t-{number}", begins=1.0 + number / 400)

    world.run(until=21.0)

    assert len(healthy) > 40
    assert max(healthy) < 0.05


@pytest.mark.slow
def test_a_new_tenant_gets_in_while_another_hangs():
    """Of a process that knows nobody yet: the calls that hang were the first ever."""
    world = Simulation()
    for number in range(200):
        world.caller("ill", [LIST], never, token=f"token-{number}", begins=number / 400)
    healthy = world.caller("well", [LIST], quickly, begins=2.0, pause=0.05)

    world.run(until=12.0)

    assert len(healthy) > 100
    assert max(healthy) < 0.05


@pytest.mark.slow
def test_new_tokens_of_a_tenant_that_is_well_get_in_while_another_hangs():
    """Users log in all the time."""
    world = Simulation()
    world.caller("well", [LIST], quickly, pause=0.1)
    for number in range(200):
        world.caller("ill", [LIST], never, token=f"ill-{number}", begins=1 + number / 400)
    users = [
        world.caller(
            "well", [LIST], quickly, token=f"new-{number}", begins=3 + number / 10, times=3
        )
        for number in range(100)
    ]

    world.run(until=20.0)

    assert max(wait for waits in users for wait in waits) < 0.05


@pytest.mark.slow
@given(count=st.integers(1, 252), tenants=st.integers(1, 250))
@settings(deadline=None, max_examples=15, derandomize=True)
def test_where_every_answer_takes_two_seconds_all_places_are_for_all(count, tenants):
    """What is answered within ten seconds by 64 places that are taken in turn is answered here."""
    world = Simulation()
    waits = [
        world.caller(f"t{number % tenants}", [LIST], lambda _: 2.0, token=f"{number}", times=1)
        for number in range(count)
    ]

    world.run()

    assert all(wait[0] + 2.0 < 10.0 for wait in waits)
    assert world.refused == 0


@pytest.mark.slow
def test_where_answers_begin_to_take_two_seconds_all_places_are_for_all():
    """A moment after everybody was answered quickly."""
    world = Simulation()
    world.caller("t0", [GROUP], quickly, times=20)
    waits = [
        world.caller(f"t{number % 5}", [LIST], lambda _: 2.0, token=f"{number}", times=1, begins=1)
        for number in range(200)
    ]

    world.run()

    assert all(wait[0] + 2.0 < 10.0 for wait in waits)


@pytest.mark.slow
def test_a_small_operation_does_not_wait_for_20_large_ones():
    """Of the same tenant, with the same token, at the same endpoint: it has its turn between them,
    and waits less than one answer takes.
    """
    world = Simulation()
    for _ in range(20):
        world.caller("shop", [GROUP], quickly, side_by_side=91, times=20)
    light = world.caller("shop", [GROUP], quickly, begins=0.2, pause=0.02)

    world.run(until=4.0)

    assert len(light) > 30
    assert max(light) < 2 * QUICK
    assert world.most > 48


def test_operations_that_begin_together_end_one_after_another():
    """An operation holds all it has read until it ends, so few are halfway at any time."""
    world = Simulation()
    answers: Counter[int] = Counter()
    halfway: list[int] = []

    def answered(operation: int, _waited: float) -> None:
        answers[operation] += 1
        halfway.append(sum(1 < count < 20 for count in answers.values()))

    for number in range(16):
        operation = Flow("shop", b"shop")
        for _ in range(20):
            world.call(operation, MEMBERS, QUICK, partial(answered, number))
    world.run()

    assert answers.total() == 16 * 20
    assert max(halfway) <= 5


def test_an_operation_that_goes_on_asking_keeps_others_no_longer_from_their_turn():
    """However many of its calls wait whenever one of them is served."""
    places = Places(1, slow=1.0, clock=lambda: 0.0)
    served: list[str] = []
    granted: list[Place] = []
    greedy, other = Flow("shop", b"greedy"), Flow("shop", b"other")

    def ask(name: str, flow: Flow) -> None:
        def grant(place: Place) -> None:
            served.append(name)
            granted.append(place)
            if flow is greedy:
                ask(name, flow)

        places.wait(flow, LIST, grant)

    first = places.take(Flow("shop", b"first"), LIST)
    assert first is not None
    granted.append(first)
    for name, flow in [("greedy", greedy)] * 10 + [("other", other)] * 10:
        ask(name, flow)
    for _ in range(4 * TURN):
        places.leave(granted.pop(), answered=True, accepted=True)

    assert served.count("other") == 10


def test_a_large_operation_goes_on_beside_small_ones_without_end():
    """New operations come first, but only every other time."""
    world = Simulation(capacity=4)
    for _ in range(40):
        world.caller("shop", [GROUP], quickly)
    large = world.caller("shop", [GROUP], quickly, begins=0.5, side_by_side=60, times=1)

    world.run(until=2.5)

    assert len(large) == 60
    assert max(large) < 10.0


@pytest.mark.slow
def test_20_large_operations_all_fit_into_the_queue():
    """They are slow, and nobody is refused."""
    world = Simulation()
    for _ in range(20):
        world.caller("shop", [GROUP], lambda _: 0.3, side_by_side=91, times=1)

    world.run()

    assert world.refused == 0


def test_the_queue_is_bounded_and_leaves_a_gap_for_who_has_nothing_in_it():
    """What does not fit is told at once when to come again."""
    world = Simulation(capacity=2)
    hung = Flow("ill", b"ill")
    granted: list[Place] = []
    for _ in range(2):
        world.call(hung, LIST, 1e9)
    for _ in range(2 * WAITING):
        world.places.wait(hung, LIST, granted.append)

    with pytest.raises(Full) as full:
        world.places.wait(hung, LIST, granted.append)
    world.places.wait(Flow("well", b"well"), LIST, granted.append)

    assert full.value.seconds >= 1
    assert granted == []
    assert world.places.waiting == 2 * WAITING + 1


def test_who_withdraws_leaves_nothing_behind():
    """Neither in the queue nor in what is known."""
    world = Simulation(capacity=1)
    flow = Flow("shop", b"ada")
    place = world.places.take(flow, LIST)
    assert place is not None
    tickets = [world.places.wait(flow, LIST, lambda place: None) for _ in range(5)]

    for ticket in tickets:
        world.places.withdraw(ticket)
    world.places.leave(place, answered=False, accepted=False)

    assert (world.places.waiting, world.places.running) == (0, 0)
    assert not world.places._groups
    assert not world.places._queues
    assert not world.places._by_key


@pytest.mark.slow
def test_what_is_kept_of_tenants_and_tokens_is_bounded():
    """Callers name tenants; those who are not let in leave nothing behind."""
    world = Simulation()

    for number in range(MAX_SURE + 1_000):
        for accepted in (True, False):
            flow = Flow(f"t{number}-{accepted}", b"%d" % number)
            place = world.places.take(flow, LIST)
            assert place is not None
            world.places.leave(place, answered=True, accepted=accepted)

    assert len(world.places._groups) <= MAX_GROUPS
    assert len(world.places._sure) <= MAX_SURE
    assert all(name[0].endswith("-True") for name in world.places._groups)


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["take", "withdraw", "leave", "late", "refused", "tick"]),
            st.integers(0, 5),
            st.integers(0, 3),
        ),
        max_size=150,
    ),
    st.integers(1, 20),
)
@settings(deadline=None, max_examples=100, derandomize=True)
def test_whatever_happens_places_add_up(steps, capacity):
    """None is lost, none is given twice, and nobody waits while all are free."""
    world = Simulation(capacity=capacity)
    places = world.places
    taken: list[Place] = []
    waiting: list[Ticket] = []

    def granted(number: int) -> Callable[[Place], None]:
        def grant(place: Place) -> None:
            taken.append(place)
            gone.add(number)

        return grant

    gone: set[int] = set()
    numbers: dict[Ticket, int] = {}
    for index, (step, tenant, token) in enumerate(steps):
        world.now += 0.01
        flow = Flow(f"t{tenant}", b"%d" % token)
        if step == "take":
            place = places.take(flow, LIST)
            if place is not None:
                taken.append(place)
            else:
                ticket = places.wait(flow, LIST, granted(index))
                numbers[ticket] = index
                waiting.append(ticket)
        elif step == "withdraw" and waiting:
            ticket = waiting.pop(tenant % len(waiting))
            if numbers[ticket] not in gone:
                places.withdraw(ticket)
        elif step == "tick":
            world.now += tenant
            places.tick()
        elif taken:
            if step == "late":
                world.now += 2.0
            place = taken.pop(tenant % len(taken))
            places.leave(place, answered=step != "late", accepted=step != "refused")
        waiting = [ticket for ticket in waiting if numbers[ticket] not in gone]

        assert places.running == len(taken) <= capacity
        assert places.waiting == len(waiting)
        assert not waiting or taken
    while taken:
        places.leave(taken.pop(), answered=True, accepted=True)

    assert places.running == 0
    assert places.waiting == 0
