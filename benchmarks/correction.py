"""Do counter-pairs or retention pairs make a renamed model better? Four kinds of pairs, three seeds, all questions.

    python benchmarks/correction.py                      # about an hour on one core; a stopped run resumes
    python benchmarks/correction.py --seeds 0 --limit 20 --samples 40 --questions 20 --folder /tmp/small   # a test

The benchmark uses only public commands: `pairforge correct`, `python -m trainers.dpo --seed S` and `pairforge
evaluate`. Every training uses the same number of pairs (`--samples`), chosen at random with its seed, so that added
pairs replace correction pairs. The script prints the table. If the run is complete (no --limit, no --questions), it
also writes the table, with the machine and the versions, to --json, and into the page --docs between its two marks.
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
"""The rows of the table, and where each value is in a verdict."""
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
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="seeds for the choice and order of the pairs"
    )
    parser.add_argument("--samples", type=int, default=1200, help="pairs in each training (default: 1200)")
    parser.add_argument("--limit", type=int, help="maximum number of prompts (default: all)")
    parser.add_argument("--questions", type=int, help="maximum number of questions of each kind (default: all)")
    parser.add_argument(
        "--folder", type=Path, default=Path("pairforge-out/benchmark"), help="folder for runs and models"
    )
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "correction.json")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "correct.md")
    return parser.parse_args()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def pairs(flags: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """Return the output of `pairforge correct --json` for one kind of pairs."""
    limit = ("--limit", str(options.limit)) if options.limit else ()
    return command_json((0,), "correct", *NAMES, *flags, *limit, "-m", options.model, "-o", str(options.folder))


def judged(kind: str, run: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return the verdict on a model trained on the run with a seed; read it from its file if it exists."""
    name = f"{run.name}-{options.samples}-{seed}"
    model = options.folder / "models" / name
    file = options.folder / f"{name}-{options.questions or 'all'}.json"
    if not file.exists():
        say(f"== {kind}, seed {seed}")
        flags = ("--dataset_name", run, "--output_dir", model, "--seed", seed, "--max_samples", options.samples)
        run_module("trainers.dpo", *flags, "--verdict_questions", 0)
        limit = ("--limit", options.questions) if options.questions else ()
        asked = ("-m", model, "--base", options.model, "--run", run, "-o", options.folder, *limit)
        verdict = command_json((0, 1), "evaluate", *asked)  # exit code 1: the verdict is FAIL
        put(file, json.dumps(verdict, ensure_ascii=False))
    return dict(json.loads(file.read_text("utf-8")))


def command_json(passes: Sequence[int], verb: str, *arguments: object) -> dict[str, Any]:
    """Return the object that a command prints with --json; `passes` are the exit codes that are allowed."""
    return dict(json.loads(run_module("pairforge", verb, *arguments, "--json", passes=passes)))


def run_module(name: str, *arguments: object, passes: Sequence[int] = (0,)) -> str:
    """Run `python -m name` on one thread and return its stdout."""
    command = [sys.executable, "-m", name, *map(str, arguments)]
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environment)
    if done.returncode not in passes:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return done.stdout


def figures(verdict: Mapping[str, Any]) -> dict[str, float]:
    """Return the values of the table: shares of metrics, and figures of thresholds."""
    found = {name: verdict[part].get(metric) for name, (part, metric) in FIGURES.items()}
    return {name: value.get("share", value.get("figure")) for name, value in found.items() if value}


def table(rows: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Return a Markdown table: one column per kind of pairs, with the mean and the range of the seeds in percent."""
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
    """Write the figures as JSON, and the table into the documentation."""
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
