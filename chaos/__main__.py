"""Every kind of fault with every operation, and an oracle that knows what is right."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from chaos.client import Client
from chaos.faults import FAULTS
from chaos.harness import DEADLINE, HERE, Running, running
from chaos.operations import OPERATIONS
from chaos.trials import MIXED, NOTHING, REFUSED, TOKEN, Outcome, Plan, Trial, plans

SHORT: Final = 2_500
"""Trials of a short run."""
WORKERS: Final = 12
SPARE: Final = 100
"""How many trials are made once more, one by one, because time was short."""
MIXED_EACH: Final = 30
"""Trials of mixed faults for each operation."""
LISTED: Final = 60
"""How many wrong answers are told one by one."""


def main() -> int:
    chosen = _arguments()
    if chosen.list:
        print("\n".join([*FAULTS, REFUSED, NOTHING, MIXED, "", *OPERATIONS]))
        return 0
    todo = _chosen(chosen)
    if not todo:
        print("chaos: no such fault or operation; --list names them.")
        return 2
    return asyncio.run(_run(todo, chosen))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--only", metavar="FAULT[:OPERATION[:WHEN]]", help="* is any")
    parser.add_argument("--seed", type=int, default=1, help="of the choices (default: 1)")
    parser.add_argument("--every", action="store_true", help="with every request that it may hit")
    parser.add_argument("--short", action="store_true", help=f"as --trials {SHORT}")
    parser.add_argument("--trials", type=int, help="only so many of all, chosen by the seed")
    parser.add_argument("--of", type=Path, default=HERE, metavar="DIR", help="another checkout")
    parser.add_argument("--list", action="store_true", help="name the faults and operations")
    parser.add_argument("--all-wrong", action="store_true", help=f"list more than {LISTED}")
    return parser.parse_args()


def _chosen(chosen: argparse.Namespace) -> list[Plan]:
    everything = list(plans()) if chosen.every or chosen.only else list(_one_each(chosen.seed))
    for name in OPERATIONS:
        everything += [Plan(f"{MIXED}-{number}", name, "all") for number in range(MIXED_EACH)]
    if chosen.only:
        wanted = [*chosen.only.split(":"), "*", "*"][:3]
        everything = [plan for plan in everything if _fits(plan, wanted)]
    random.Random(chosen.seed).shuffle(everything)  # noqa: S311  # no secret
    return everything[: SHORT if chosen.short else chosen.trials]


def _fits(plan: Plan, wanted: Sequence[str]) -> bool:
    parts = zip(wanted, str(plan).split(":"), strict=True)
    return all(part in ("*", value) for part, value in parts)


def _one_each(seed: int) -> Iterator[Plan]:
    """Each fault with each operation once, with one of the requests that it may hit."""
    choice = random.Random(seed)  # noqa: S311  # no secret
    by_name: dict[tuple[str, str], list[Plan]] = {}
    for plan in plans():
        by_name.setdefault((plan.fault, plan.operation), []).append(plan)
    return (choice.choice(same) for same in by_name.values())


async def _run(todo: Sequence[Plan], chosen: argparse.Namespace) -> int:
    async with running(len(todo) + SPARE, checkout=chosen.of.resolve()) as run:
        client = Client(run.gateway.port)
        outcomes: list[Outcome] = []
        memory: list[float] = []
        numbers = itertools.count()
        waiting = list(todo)[::-1]

        async def once(plan: Plan) -> Outcome:
            trial = Trial(plan, next(numbers), run.apis, client, seed=chosen.seed)
            return await trial.run(within=DEADLINE + 20)

        async def work() -> None:
            while waiting and run.gateway.running:
                outcomes.append(await once(waiting.pop()))
                if len(outcomes) % 50 == 0:
                    memory.append(run.gateway.memory())

        await asyncio.gather(*(work() for _ in range(min(WORKERS, len(todo)))))
        memory.append(run.gateway.memory())
        for outcome in [outcome for outcome in outcomes if outcome.late][:SPARE]:
            outcomes.remove(outcome)
            outcomes.append(await once(outcome.plan))
        client.close()
        alive = run.gateway.running
        logged = len(TOKEN.findall(run.gateway.log.read_text(errors="replace")))
        stalled = _unexpected(run)
    if chosen.only and len(todo) == 1:
        _tell(outcomes[0])
    return _report(outcomes, memory, logged, alive, stalled, chosen)


def _unexpected(run: Running) -> list[str]:
    text = run.gateway.log.read_text(errors="replace")
    return [line for line in text.splitlines() if " ERROR " in line][:5]


def _tell(outcome: Outcome) -> None:
    for line in outcome.arrived:
        print(f"  upstream got {line}")
    for line in outcome.played:
        print(f"  fault {line}")
    if outcome.response is not None:
        body = outcome.response.body.decode(errors="replace")
        print(f"  answered {outcome.response.status} {body[:3000]}")


def _report(
    outcomes: Sequence[Outcome],
    memory: Sequence[float],
    logged: int,
    alive: bool,
    unexpected: Sequence[str],
    chosen: argparse.Namespace,
) -> int:
    bad = [outcome for outcome in outcomes if any(outcome.problems)]
    for outcome in bad if chosen.all_wrong else bad[:LISTED]:
        for kind, problem in outcome.problems:
            print(
                f'{kind}: {problem}\n  make chaos args="--only {outcome.plan} --seed {chosen.seed}"'
            )
    if len(bad) > LISTED and not chosen.all_wrong:
        print(f"and {len(bad) - LISTED} more (--all-wrong lists them)")
    for line in unexpected:
        print(f"in the log: {line}")
    counts = Counter(kind for outcome in bad for kind, _ in outcome.problems)
    met = [outcome for outcome in outcomes if outcome.played]
    faults = {line.split(" to ")[0] for outcome in met for line in outcome.played}
    seconds = sorted(outcome.seconds for outcome in outcomes if outcome.response)
    p99 = seconds[math.ceil(0.99 * len(seconds)) - 1] if seconds else math.inf
    slowest = max(outcomes, key=lambda outcome: outcome.seconds).plan if outcomes else "none"
    print(
        f"chaos: {len(faults)} faults, {len({o.plan.operation for o in outcomes})} operations, "
        f"{len(outcomes)} trials of which {len(met)} met a fault: "
        f"{counts['wrong']} wrong answers, {counts['leaked'] + logged} leaked tokens, "
        f"{counts['twice']} writes sent twice, {counts['malformed']} non-GraphQL bodies; "
        f"p99 {p99:.2f} s, slowest {max(seconds, default=0):.2f} s ({slowest}), "
        f"deadline {DEADLINE:.0f} s; "
        f"memory {memory[0]:.0f} to {memory[-1]:.0f} MB, at most {max(memory):.0f} MB"
        + ("" if alive else "; the gateway has ended")
    )
    return 1 if bad or logged or not alive or unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
