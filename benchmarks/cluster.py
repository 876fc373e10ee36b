"""Say what a run in shards costs, by arithmetic over rates that were measured.

    python benchmarks/cluster.py --measure 20000        # CPU milliseconds a prompt of what is no model's work
    python benchmarks/cluster.py --gpus 64 --n 8 --answers 50 --scores 200 [--plan MS --shard MS --gather MS --pairs MS]

`--answers` and `--scores` are those of one GPU in a second: measure them on yours, by `pairforge sample --limit 200`
and `pairforge judge`. All else is the work of CPUs: the plan, the gathering and the pairs are the driver's, on one
core; a shard is its worker's.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

SIZES = (1_000_000, 10_000_000, 100_000_000)
SHARD = {1_000_000: 2048, 10_000_000: 4096, 100_000_000: 16384}
"""Prompts of a shard: so many that there are at most some thousands of files."""
RATES = {"plan": 0.04, "shard": 0.26, "gather": 0.10, "pairs": 0.54}
"""CPU milliseconds a prompt: see --measure."""
BYTES = 110
"""Of an answer in evidence.db and in its shard, beside its text."""


def measure(count: int, n: int) -> dict[str, float]:
    """Return the CPU milliseconds a prompt of each part of a run in shards whose answers cost nothing."""
    from pairforge import onpolicy
    from pairforge.api import sharded

    spent: dict[str, float] = {}

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **given: Any) -> Any:
            start = time.process_time()
            try:
                return function(*args, **given)
            finally:
                spent[name] = spent.get(name, 0) + time.process_time() - start

        return call

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answers.jsonl"
        with file.open("w") as lines:
            for number in range(count):
                answers = [f"{'word ' * (7 * number * i % 40)}{i}." for i in range(n)]
                lines.write(json.dumps({"prompt": f"Question {number}?", "answers": answers, "model": "m"}) + "\n")
        given = {"prompts": str(file), "replay": str(file), "judge": "length", "n": n, "quiet": True}
        of = sharded.ShardedRun
        plan = type("Plan", (sharded.RowSpool,), {"__enter__": timed("plan", sharded.RowSpool.__enter__)})
        with (
            mock.patch.object(sharded, "RowSpool", plan),
            mock.patch.object(of, "run", timed("run", of.run)),
            mock.patch.object(of, "gather", timed("gather", of.gather)),
            mock.patch.object(sharded.ShardWorker, "__call__", timed("shard", sharded.ShardWorker.__call__)),
        ):
            start = time.process_time()
            onpolicy(output=folder, executor="local", **given)
            spent["pairs"] = time.process_time() - start - spent["plan"] - spent["run"] - spent["gather"]
    spent["plan"] += spent.pop("run") - spent["shard"]
    return {name: 1000 * spent[name] / count for name in RATES}


def row(prompts: int, given: argparse.Namespace) -> list[str]:
    """Return the line of the table for so many prompts."""
    answers = prompts * given.n
    sampling, judging = answers / given.answers / 3600, answers / given.scores / 3600
    driver = {name: prompts * getattr(given, name) / 3.6e6 for name in RATES}
    workers = driver.pop("shard")
    return [
        f"{prompts:,}",
        f"{prompts / SHARD[prompts]:,.0f} of {SHARD[prompts]:,}",
        f"{sampling:,.0f} + {judging:,.0f}",
        f"{(sampling + judging) / given.gpus:,.1f}",
        f"{workers:,.1f}",
        " + ".join(f"{hours:,.1f}" for hours in driver.values()),
        f"{answers * (BYTES + given.characters) / 1e9:,.0f} GB",
        f"{100 * given.kills * 30 / 3600 / (sampling + judging):.3f} %",
    ]


def main() -> None:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=int, metavar="PROMPTS")
    parser.add_argument("--n", type=int, default=8, help="answers to a prompt")
    parser.add_argument("--gpus", type=int, default=64)
    parser.add_argument("--answers", type=float, default=50, help="a second, of one GPU")
    parser.add_argument("--scores", type=float, default=200, help="a second, of one GPU")
    parser.add_argument("--characters", type=float, default=800, help="of an answer")
    parser.add_argument("--kills", type=int, default=100, help="workers that die")
    for name, rate in RATES.items():
        parser.add_argument(f"--{name}", type=float, default=rate, help="CPU milliseconds a prompt")
    given = parser.parse_args()
    if given.measure:
        print(" ".join(f"--{name} {rate:.3f}" for name, rate in measure(given.measure, given.n).items()))
        return
    print(
        f"{given.n} answers to a prompt, {given.gpus} GPUs with {given.answers:g} answers or {given.scores:g} scores/s"
    )
    head = ["prompts", "shards", "GPU hours: answers + scores", f"hours on {given.gpus} GPUs", "CPU hours of workers"]
    head += ["CPU hours of the driver: plan + gather + pairs", "evidence", f"made again for {given.kills} kills"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for prompts in SIZES:
        print(f"| {' | '.join(row(prompts, given))} |")


if __name__ == "__main__":
    main()
