"""`python -m benchmarks`: what `make bench` runs."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import uvloop

from benchmarks.check import Differs
from benchmarks.measure import Broken
from benchmarks.roster import ALL, PEERS, ROOT
from benchmarks.run import Options, run
from benchmarks.server import DoesNotStart


def main() -> int:
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(_options()))
    except (Differs, Broken, DoesNotStart) as problem:
        print(f"Nothing is measured: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measures ours and its peers.")
    parser.add_argument("--peers", type=_words, default=PEERS, help=f"of {','.join(PEERS)}")
    parser.add_argument("--workloads", type=_words, default=(), help="such as W1,W2; without, all")
    parser.add_argument("--rounds", type=int, help="of each workload and peer (7; quick: 2)")
    parser.add_argument("--seconds", type=float, help="that a round takes (2; quick: 0.4)")
    parser.add_argument("--warm-up", type=float, help="seconds ahead of the rounds (3; quick: 0.4)")
    parser.add_argument("--quick", action="store_true", help="rough numbers in less than 2 minutes")
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="measure nothing: check the answers and REST calls of ours and bare",
    )
    parser.add_argument(
        "--before",
        type=Path,
        metavar="DIR",
        help="another checkout of the gateway, to be measured as one more peer",
    )
    parser.add_argument(
        "--ours", type=Path, default=ROOT, metavar="DIR", help="the checkout to measure (this one)"
    )
    chosen = parser.parse_args()
    if unknown := {*chosen.peers} - {*PEERS} | {*chosen.workloads} - {*ALL}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    peers = ("ours", "bare") if chosen.smoke else tuple(chosen.peers)
    if chosen.before:
        peers = (*peers, "before")
    rounds, seconds, warm_up = (2, 0.4, 0.4) if chosen.quick else (7, 2.0, 3.0)
    return Options(
        peers=peers,
        workloads=tuple(chosen.workloads),
        rounds=0 if chosen.smoke else chosen.rounds or rounds,
        seconds=chosen.seconds or seconds,
        warm_up=warm_up if chosen.warm_up is None else chosen.warm_up,
        checkouts={"ours": chosen.ours, "before": chosen.before},
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


if __name__ == "__main__":
    sys.exit(main())
