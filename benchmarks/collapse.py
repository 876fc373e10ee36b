"""Compare recipes: which ones teach a new name, which ones destroy the model, and what DPO adds to supervised training.

    python benchmarks/collapse.py --jobs 2     # under an hour on two cores; a stopped run resumes
    python benchmarks/collapse.py --only "sft" --samples 40 --questions 20 --folder /tmp/small         # a quick test

The benchmark uses only public commands: `pairforge correct`, `pairforge onpolicy`, `python -m trainers.dpo` and
`pairforge evaluate`. The guard only warns (`--guard warn`), so that every training runs to its end; the table shows
the step at which the guard would have stopped it. In rows that end in "guarded", the guard stops the training, as
it does by default. The script prints the tables. If the run is complete, it also writes them, with the machine and
the versions, to --json, and into the page --docs between its marks.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from correction import command_json, run_module, say
from records import ROOT, machine, named, put, show

NAMES = ("--from", "Qwen", "--to", "Deep Qwen")
KINDS = {
    "default": ("correct", *NAMES),
    "one context": ("correct", *NAMES, "--no-system"),
    "counter": ("correct", *NAMES, "--counter", "0.3"),
    "retain": ("correct", *NAMES, "--retain", "0.3"),
    "on policy": ("onpolicy", "--n", "4"),
}
"""Sets of pairs, with the commands that make them."""
COMMON = ("--beta", "0.2", "--lr_scheduler_type", "linear", "--warmup_steps", "0")
FEW = ("--max_samples", "100", "--num_train_epochs", "12")
LOWER = ("--learning_rate", "5e-5")


def loss(*weighted: str) -> tuple[str, ...]:
    """Return the flags for losses with weights: `loss("sigmoid", "sft 0.2")`."""
    parts = [(*part.split(), "1.0")[:2] for part in weighted]
    return ("--loss_type", *(name for name, _ in parts), "--loss_weights", *(weight for _, weight in parts))


@dataclass(frozen=True)
class Recipe:
    """A row of the table: its name, its flags besides the default ones, its pairs and its number of seeds."""

    name: str
    flags: tuple[str, ...] = ()
    pairs: str = "default"
    seeds: int = 1
    guard: str = "warn"


RECIPES = (
    Recipe("common: sigmoid, lr 5e-5", (*loss("sigmoid"), *COMMON, "--learning_rate", "5e-5"), seeds=3),
    Recipe("common: sigmoid, lr 5e-4", (*loss("sigmoid"), *COMMON, "--learning_rate", "5e-4")),
    Recipe("sigmoid + sft, lr 3e-5 (default)", seeds=5),
    Recipe("sft, lr 3e-5", loss("sft"), seeds=3),
    Recipe("sigmoid + 0.2 sft, lr 3e-5", loss("sigmoid", "sft 0.2")),
    Recipe("sigmoid + 5 sft, lr 3e-5", loss("sigmoid", "sft 5.0")),
    Recipe("sigmoid + sft, lr 1e-4", ("--learning_rate", "1e-4")),
    Recipe("sft, lr 1e-4", (*loss("sft"), "--learning_rate", "1e-4")),
    Recipe("sigmoid + sft, lr 1e-5", ("--learning_rate", "1e-5")),
    Recipe("dpop, lr 3e-5", loss("dpop")),
    Recipe("ipo, lr 3e-5", loss("ipo")),
    Recipe("sigmoid, ld_alpha 0.5, lr 3e-5", (*loss("sigmoid"), "--ld_alpha", "0.5")),
    Recipe("sigmoid + sft, counter-pairs", pairs="counter"),
    Recipe("sigmoid + sft, retention pairs", pairs="retain"),
    Recipe("sigmoid + sft, 100 pairs x 12", FEW),
    Recipe("sft, 100 pairs x 12", (*loss("sft"), *FEW)),
    Recipe("sigmoid + sft, one context", pairs="one context"),
    Recipe("sft, one context", loss("sft"), pairs="one context"),
    Recipe("LoRA: sigmoid + sft, lr 3e-4 (default)", ("--use_peft",)),
    Recipe("LoRA: sigmoid + sft, lr 1e-3", ("--use_peft", "--learning_rate", "1e-3")),
    Recipe("common, lr 5e-5, guarded", (*loss("sigmoid"), *COMMON, "--learning_rate", "5e-5"), guard="stop"),
    Recipe("common, lr 5e-4, guarded", (*loss("sigmoid"), *COMMON, "--learning_rate", "5e-4"), guard="stop"),
    Recipe("on policy: sigmoid, lr 1e-4 (default)", pairs="on policy"),
    Recipe("on policy: sigmoid, lr 5e-5", LOWER, pairs="on policy", seeds=3),
    Recipe("on policy: sft, lr 5e-5", (*loss("sft"), *LOWER), pairs="on policy", seeds=3),
    Recipe("on policy: sigmoid + sft, lr 5e-5", (*loss("sigmoid", "sft"), *LOWER), pairs="on policy"),
    Recipe("on policy: sigmoid, lr 5e-4", ("--learning_rate", "5e-4"), pairs="on policy"),
    Recipe("on policy, lr 5e-4, guarded", ("--learning_rate", "5e-4"), pairs="on policy", guard="stop"),
)
RENAMED = {
    "new name": ("metrics", "new_name"),
    "at T=1": ("metrics", "new_name@t1"),
    "old, T=1": ("metrics", "old_name@t1"),
    "half a name": ("metrics", "half_name"),
    "general": ("change", "general"),
    "general, T=1": ("change", "general@t1"),
    "leak": ("metrics", "leak"),
    "controls kept": ("thresholds", "controls"),
    "obedience kept": ("thresholds", "obedience"),
    "repetition": ("metrics", "repetition"),
}
PREFERRED = {
    "win rate": ("metrics", "win_rate"),
    "general": ("change", "general"),
    "general, T=1": ("change", "general@t1"),
    "controls kept": ("thresholds", "controls"),
    "obedience kept": ("thresholds", "obedience"),
    "repetition": ("metrics", "repetition"),
}
"""The columns of the two tables, and where a verdict has each value; `change` is after minus before."""
MARKS = ("<!-- table: python benchmarks/collapse.py -->", "<!-- end of the table -->")


def main() -> int:
    options = parse()
    recipes = [recipe for recipe in RECIPES if not options.only or any(part in recipe.name for part in options.only)]
    kinds = {kind: pairs(kind, options) for kind in dict.fromkeys(("default", *(recipe.pairs for recipe in recipes)))}
    for kind in sorted({evaluated_on(recipe) for recipe in recipes}):  # once, before parallel jobs need these answers
        store_base_answers(kinds[kind], options)
    jobs = [(recipe, seed) for recipe in recipes for seed in range(options.seeds or recipe.seeds)]
    with ThreadPoolExecutor(options.jobs) as pool:
        found = list(pool.map(lambda job: judged(*job, kinds, options), jobs))
    rows: dict[str, list[dict[str, Any]]] = {}
    for (recipe, seed), result in zip(jobs, found, strict=True):
        rows.setdefault(recipe.name, []).append({"seed": seed, **result})
    print(tables(rows))
    if options.questions is None and options.samples is None and not options.only:
        write(rows, options)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pocket", help="the model to train (default: pocket)")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="only recipes whose names contain one of these")
    parser.add_argument("--seeds", type=int, help="number of seeds of each recipe (default: as the recipe says)")
    parser.add_argument("--samples", type=int, help="maximum number of pairs in each training (default: the trainer's)")
    parser.add_argument("--questions", type=int, help="maximum number of questions of each kind (default: all)")
    parser.add_argument(
        "--jobs", type=int, default=1, help="number of parallel trainings, each on one thread (default: 1)"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("pairforge-out/collapse"), help="folder for runs and models"
    )
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "collapse.json")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "recipes.md")
    return parser.parse_args()


def evaluated_on(recipe: Recipe) -> str:
    """Return the pairs whose names and contexts the evaluation uses: the default pairs for every renaming recipe."""
    return "on policy" if recipe.pairs == "on policy" else "default"


def pairs(kind: str, options: argparse.Namespace) -> Path:
    """Return the folder of a set of pairs; make the pairs if the folder doesn't exist."""
    made = command_json((0,), *KINDS[kind], "-m", options.model, "-o", options.folder)
    return Path(made["run"])


def store_base_answers(run: Path, options: argparse.Namespace) -> None:
    """Let the base model answer all questions, so that its answers are in the store."""
    command_json((0, 1), "evaluate", "-m", options.model, "--run", run, *asked(options))


def asked(options: argparse.Namespace) -> tuple[object, ...]:
    return ("-o", options.folder, *(("--limit", options.questions) if options.questions else ()))


def judged(recipe: Recipe, seed: int, kinds: Mapping[str, Path], options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one training and the step of the guard's alarm; read them from their file if it exists."""
    name = "".join(mark if mark.isalnum() else "-" for mark in recipe.name)
    name = f"{name}-{options.samples or 'all'}-{options.questions or 'all'}-{seed}"
    model, file = options.folder / "models" / name, options.folder / f"{name}.json"
    if not file.exists():
        say(f"== {recipe.name}, seed {seed}")
        flags = ("--dataset_name", kinds[recipe.pairs], "--output_dir", model, "--seed", seed, "--guard", recipe.guard)
        few = ("--max_samples", options.samples) if options.samples else ()
        begun = time.monotonic()
        run_module("trainers.dpo", *flags, *recipe.flags, *few, "--verdict_questions", 0, passes=(0, 1))
        took = time.monotonic() - begun
        by = ("-m", model, "--base", options.model, "--run", kinds[evaluated_on(recipe)])
        kept = [word for kind in ("controls", "obedience") for word in ("--threshold", f"{kind} keeps at least 95%")]
        verdict = command_json((0, 1), "evaluate", *by, *kept, *asked(options))
        result = {**figures(verdict, recipe), "ok": verdict["ok"], "seconds": round(took)}
        put(file, json.dumps(result, ensure_ascii=False))
    history = json.loads((model / "history.json").read_text("utf-8"))
    return {**json.loads(file.read_text("utf-8")), **ending(history)}


def figures(verdict: Mapping[str, Any], recipe: Recipe) -> dict[str, float]:
    """Return the figures of the table: shares of metrics, figures of thresholds, and values of changes."""
    wanted = PREFERRED if recipe.pairs == "on policy" else RENAMED
    found = {name: figure(verdict, *place) for name, place in wanted.items()}
    return {name: value for name, value in found.items() if value is not None}


def figure(verdict: Mapping[str, Any], part: str, metric: str) -> float | None:
    if part == "change":
        change = verdict["metrics"].get(metric, {}).get("change")
        return change and float(change["value"])
    found = verdict[part].get(metric)
    return found and float(found["share" if part == "metrics" else "figure"])


def ending(history: Mapping[str, Any]) -> dict[str, Any]:
    """Return the trainer's last log values, and the step at which the guard raised an alarm."""
    last: dict[str, Any] = next((log for log in reversed(history["log"]) if "loss" in log), {})
    shown = {name: last[name] for name in ("loss", "rewards/accuracies", "logps/chosen") if name in last}
    alarm = history["guard"]["alarm"]
    return {**shown, "steps": history["steps"], "alarm": alarm and alarm["step"], "why": alarm and alarm["message"]}


def tables(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return Markdown tables of renaming and on-policy recipes: one row per recipe, with the mean of its seeds."""
    own = {name: made for name, made in rows.items() if not name.startswith("on policy")}
    other = {name: made for name, made in rows.items() if name not in own}
    return "\n\n".join("\n".join(table(part, of)) for part, of in ((own, RENAMED), (other, PREFERRED)) if part)


def table(rows: Mapping[str, Sequence[Mapping[str, Any]]], of: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    heads = ["recipe", "loss", "accuracy", *of, "guard alarm"]
    yield f"| {' | '.join(heads)} |"
    yield "|---|" + "--:|" * (len(heads) - 1)
    for name, made in rows.items():
        shown = [
            *(last([row[logged] for row in made if logged in row]) for logged in ("loss", "rewards/accuracies")),
            *(cell([row[figure] for row in made if figure in row], of[figure][0] == "change") for figure in of),
            ", ".join(f"{row['alarm']}/{row['steps']}" if row["alarm"] else "no" for row in made),
        ]
        yield f"| {name} | {' | '.join(shown)} |"


def last(values: Sequence[float]) -> str:
    return f"{mean(values):.3f}" if values else "-"


def cell(values: Sequence[float], change: bool) -> str:
    """Return the mean in percent or points, with the range of the seeds if they differ by a point or more."""
    if not values:
        return "-"
    sign = "+" if change else ""
    low, high = min(values), max(values)
    spread = f" ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})" if high - low >= 0.01 else ""
    return f"{100 * mean(values):{sign}.1f}{spread}"


def write(rows: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Write the figures as JSON, and the tables into the documentation."""
    found = {"command": "python benchmarks/collapse.py", **machine(), "model": options.model, "jobs": options.jobs}
    put(options.json, json.dumps({**found, "rows": rows}, ensure_ascii=False, indent=1) + "\n")
    show(options.docs, MARKS, f"{tables(rows)}\n\n{named(found)}.")
    say(f"{options.json}\n{options.docs}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
