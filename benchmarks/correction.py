"""Do counter-pairs or retention pairs make a renamed model better? Four kinds of pairs, three seeds, all questions.

    python benchmarks/correction.py                      # about an hour on one core; goes on where it was stopped
    python benchmarks/correction.py --seeds 0 --limit 20 --samples 40 --questions 20 --folder /tmp/small   # a try

Everything is done by the commands that anybody has: `pairforge correct`, `python -m trainers.dpo --seed S`, `pairforge
evaluate`. Every training has as many pairs as `--samples` says, drawn with its seed, so that what is added takes the
place of correction pairs. Prints the table, and writes it with the machine and the versions to --json, and into --docs
between its two marks; both only where the run is whole, without --limit and --questions.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from records import ROOT, machine, named, put, show

NAMES = ("--from", "Qwen", "--to", "Deep Qwen")
KINDS = {
    "plain": (),
    "counter 0.3": ("--counter", "0.3"),
    "retain 0.3": ("--retain", "0.3"),
    "both 0.3": ("--counter", "0.3", "--retain", "0.3"),
}
FIGURES = {
    "new name": ("metrics", "new_name"),
    "no system message": ("metrics", "new_name/no system message"),
    "helpful assistant": ("metrics", "new_name/You're a helpful assistant."),
    "English": ("metrics", "new_name/en"),
    "Chinese": ("metrics", "new_name/zh"),
    "general before": ("before", "general"),
    "general after": ("metrics", "general"),
    "leak": ("metrics", "leak"),
    "controls kept": ("thresholds", "controls"),
    "obedience kept": ("thresholds", "obedience"),
}
"""What the table shows, and where a verdict has it."""
MARKS = ("<!-- table: python benchmarks/correction.py -->", "<!-- end -->")


def main() -> int:
    options = parse()
    options.folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    counts = {}
    for kind, flags in KINDS.items():
        made = pairs(flags, options)
        counts[kind] = {name: made["counts"].get(name, 0) for name in ("pairs", "counter", "retain")}
        for seed in options.seeds:
            verdict = judged(kind, Path(made["run"]), seed, options)
            rows[kind].append(figures(verdict))
            say(f"{kind}, seed {seed}: {rows[kind][-1]}")
    print(table(rows))
    if options.limit is None and options.questions is None:
        write(rows, counts, options)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pocket", help="the model to rename (default: pocket)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the pairs drawn and their order")
    parser.add_argument("--samples", type=int, default=1200, help="pairs in each training (default: 1200)")
    parser.add_argument("--limit", type=int, help="at most so many prompts (default: all)")
    parser.add_argument("--questions", type=int, help="at most so many questions of each kind (default: all)")
    parser.add_argument("--folder", type=Path, default=Path("pairforge-out/benchmark"), help="where runs and models go")
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "correction.json")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "correct.md")
    return parser.parse_args()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def pairs(flags: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """What `pairforge correct --json` says of one kind of pairs."""
    limit = ("--limit", str(options.limit)) if options.limit else ()
    return told((0,), "correct", *NAMES, *flags, *limit, "-m", options.model, "-o", str(options.folder))


def judged(kind: str, run: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """The verdict on a model trained on the run with a seed; from its file where it stands already."""
    name = f"{run.name}-{options.samples}-{seed}"
    model = options.folder / "models" / name
    file = options.folder / f"{name}-{options.questions or 'all'}.json"
    if not file.exists():
        say(f"== {kind}, seed {seed}")
        flags = ("--dataset_name", run, "--output_dir", model, "--seed", seed, "--max_samples", options.samples)
        module("trainers.dpo", *flags, "--verdict_questions", 0)
        limit = ("--limit", options.questions) if options.questions else ()
        asked = ("-m", model, "--base", options.model, "--run", run, "-o", options.folder, *limit)
        verdict = told((0, 1), "evaluate", *asked)  # one that fails is a verdict too
        put(file, json.dumps(verdict, ensure_ascii=False))
    return dict(json.loads(file.read_text("utf-8")))


def told(passes: Sequence[int], verb: str, *arguments: object) -> dict[str, Any]:
    """The object that a command prints with --json, where it ends with one of these exit codes."""
    return dict(json.loads(module("pairforge", verb, *arguments, "--json", passes=passes)))


def module(name: str, *arguments: object, passes: Sequence[int] = (0,)) -> str:
    """Runs `python -m name` on one thread; its stdout."""
    command = [sys.executable, "-m", name, *map(str, arguments)]
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environment)
    if done.returncode not in passes:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return done.stdout


def figures(verdict: Mapping[str, Any]) -> dict[str, float]:
    """The shares of the table; of what a threshold keeps, its figure."""
    found = {name: verdict[part].get(metric) for name, (part, metric) in FIGURES.items()}
    return {name: value.get("share", value.get("figure")) for name, value in found.items() if value}


def table(rows: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Markdown: a column a kind of pairs, in each cell the mean of the seeds and their range, in percent."""
    lines = ["| | " + " | ".join(rows) + " |", "|---|" + "---|" * len(rows)]
    for name in FIGURES:
        cells = [cell([row[name] for row in made if name in row]) for made in rows.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(values: Sequence[float]) -> str:
    if not values:
        return "-"
    low, high = min(values), max(values)
    return f"{mean(values):.1%}" + (f" ({low:.1%} to {high:.1%})" if len(values) > 1 else "")


def write(rows: Mapping[str, Any], counts: Mapping[str, Any], options: argparse.Namespace) -> None:
    """The figures as JSON, and the table into the documentation."""
    found = {
        "command": "python benchmarks/correction.py",
        **machine(),
        "model": options.model,
        "seeds": options.seeds,
        "pairs in a training": options.samples,
        "pairs made": counts,
        "figures": rows,
    }
    put(options.json, json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    seeds = ", ".join(map(str, options.seeds))
    note = f"{named(found)}; seeds {seeds}; {options.samples} pairs each."
    show(options.docs, MARKS, f"{table(rows)}\n\n{note}")
    say(f"{options.json}\n{options.docs}")


if __name__ == "__main__":
    sys.exit(main())
