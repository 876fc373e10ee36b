"""Which of the judged answers should be chosen and rejected? Each rule of picking is trained, and the model is judged.

    python benchmarks/picks.py                                   # some hours on one core; a stopped run resumes
    python benchmarks/picks.py --only "^n=4" --questions 50 --samples 80 --folder /tmp/small         # a quick test

The bundled model answers its training questions at temperature 1, `pairforge onpolicy` and `pairforge select` make the
pairs, `python -m trainers.dpo` trains on them. Rows that begin with "default" are what both do with no other option but
the one that is named. In the others each training has the same number of pairs, and the judge is graded.py, which also
says how wrong a wrong answer is. What counts is the share of right answers that the trained model samples at
temperature 1 to questions it has not seen, four times each. The script prints the table; without an option that makes
less of it, it also writes it, with the machine and the versions, to --json and --docs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from collapse import ending
from correction import command_json, run_module, say
from records import ROOT, machine, named, put, show

import pairforge
from pairforge.judges.reference import ReferenceJudge
from pairforge.prompts import bundled
from pairforge.statistics import Z95, sample_indices

ANSWERS = 4  # to each held-out question
TOLD = """Each rule was trained, its model judged by the right answers that it samples: `python benchmarks/picks.py`.
The judge of all rows but the default's also says how wrong a wrong answer is, as where all of these score 0 most rules
pick the same:"""
MARKS = ("<!-- table: python benchmarks/picks.py -->", "<!-- end of the table of picks -->")


@dataclass(frozen=True)
class Rule:
    """A row of the table: its name, the options of `onpolicy`, of `select` and of the training, and its seeds."""

    name: str
    sample: tuple[str, ...] = ("--judge", f"{Path(__file__).with_name('graded.py').resolve()}:graded")
    pick: tuple[str, ...] = ()
    train: tuple[str, ...] = ()
    seeds: int = 1

    @property
    def fixed(self) -> bool:
        """Whether every training has the same number of pairs."""
        return not self.name.startswith("default")


def rules(n: int) -> Iterator[Rule]:
    graded = ("--n", str(n), *Rule.sample)
    for pick in ("best-worst", "sigma", "best-random", "best-second", "matched"):
        yield Rule(f"n={n}, {pick}", graded, ("--pick", pick))
    yield Rule(f"n={n}, all-pairs, at most 3", graded, ("--pick", "all-pairs", "--per-prompt", "3"))


FOUR = ("--n", "4", *Rule.sample)
RULES = (
    Rule("default: --n 4, reference", ("--n", "4"), seeds=3),
    Rule("default, --learning_rate 5e-5", ("--n", "4"), train=("--learning_rate", "5e-5")),
    *rules(8),
    *rules(4),
    Rule("n=4, best-worst, --margin 0.5", FOUR, ("--margin", "0.5")),
    Rule("n=4, best-worst, --margin 1sd", FOUR, ("--margin", "1sd")),
)


def main() -> int:
    options = parse()
    chosen = [rule for rule in RULES if not options.only or re.search(options.only, rule.name)]
    before = sampled(options.model, options)
    rows: dict[str, list[dict[str, Any]]] = {}
    for rule in chosen:
        for seed in range(options.seeds or rule.seeds):
            rows.setdefault(rule.name, []).append(judged(rule, seed, before, options))
            print("\n".join(table(rows, before)), flush=True)
            if not (options.only or options.seeds) and options.questions == 1000 and options.samples == 1000:
                write(rows, before, options)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pocket", help="the model to train (default: pocket)")
    parser.add_argument("--only", metavar="REGEX", help="only rules whose names match")
    parser.add_argument("--seeds", type=int, help="number of seeds of each rule (default: as the rule says)")
    parser.add_argument("--samples", type=int, default=1000, help="pairs in each training but those of the default")
    parser.add_argument("--questions", type=int, default=1000, help="held-out questions (default: 1000)")
    parser.add_argument("--folder", type=Path, default=Path("pairforge-out/picks"), help="folder for runs and models")
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "picks.json")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "onpolicy.md")
    return parser.parse_args()


def sampled(model: object, options: argparse.Namespace) -> dict[str, Any]:
    """Return the share of right answers to each held-out question, and the mean length of an answer in tokens."""
    asked = bundled("general.eval")
    asked = [asked[index] for index in sample_indices(len(asked), options.questions, 0)]
    given = pairforge.sample(asked, model=str(model), n=ANSWERS, temperature=1.0, output=options.folder, quiet=True)
    judge, right, lengths = ReferenceJudge(), list[float](), list[int]()
    for item in given:
        assert item.prompt
        right.append(sum(judge.score(item.prompt, [one.text for one in item.answers])) / ANSWERS)
        lengths += [one.tokens for one in item.answers]
    return {"right": right, "tokens": round(fmean(lengths), 2)}


def judged(rule: Rule, seed: int, before: Mapping[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one training; read them from their file if it exists. The weights are not kept."""
    name = re.sub(r"\W+", "-", f"{rule.name} {options.samples} {options.questions} {seed}")
    file, model = options.folder / f"{name}.json", options.folder / "models" / name
    if not file.exists():
        say(f"== {rule.name}, seed {seed}")
        run = Path(command_json((0,), "onpolicy", "-m", options.model, *rule.sample, "-o", options.folder)["run"])
        if rule.pick:
            run = Path(command_json((0,), "select", run, *rule.pick)["run"])
        few = ("--max_samples", options.samples) if rule.fixed else ()
        flags = ("--dataset_name", run, "--output_dir", model, "--seed", seed, "--guard", "warn", *few, *rule.train)
        run_module("trainers.dpo", *flags, "--verdict_questions", 0, passes=(0, 1))
        after, history = sampled(model, options), json.loads((model / "history.json").read_text("utf-8"))
        low, high = interval(before["right"], after["right"])
        gain = {"gain": fmean(after["right"]) - fmean(before["right"]), "low": low, "high": high}
        made = pairs(run)
        put(file, json.dumps({"seed": seed, **gain, "tokens": after["tokens"], **made, **ending(history)}))
        shutil.rmtree(model)
    return dict(json.loads(file.read_text("utf-8")))


def interval(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean change, question by question."""
    changes = [new - old for old, new in zip(before, after, strict=True)]
    half = Z95 * stdev(changes) / len(changes) ** 0.5
    return fmean(changes) - half, fmean(changes) + half


def pairs(run: Path) -> dict[str, Any]:
    """Return how many pairs a run has, and the mean length of both sides in characters."""
    rows = [json.loads(line) for line in (run / "pairs.jsonl").read_text("utf-8").splitlines()]
    lengths = {side: round(fmean(len(row[side][-1]["content"]) for row in rows), 1) for side in ("chosen", "rejected")}
    return {"pairs": len(rows), **lengths}


def table(rows: Mapping[str, Sequence[Mapping[str, Any]]], before: Mapping[str, Any]) -> Iterator[str]:
    yield "| pick | pairs | chosen, rejected: characters | right answers | 95 % interval | tokens of an answer |"
    yield "|---|" + "--:|" * 5
    yield f"| before | | | {100 * fmean(before['right']):.1f} | | {before['tokens']:.1f} |"
    for name, made in rows.items():
        for row in made:
            seed = f", seed {row['seed']}" if len(made) > 1 else ""
            cells = [f"{row['pairs']}", f"{row['chosen']}, {row['rejected']}", f"{100 * row['gain']:+.1f}"]
            cells += [f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}", f"{row['tokens']:.1f}"]
            yield f"| {name}{seed} | {' | '.join(cells)} |"


def write(rows: Mapping[str, Any], before: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Write the figures as JSON, and the table into the documentation."""
    found = {"command": "python benchmarks/picks.py", **machine(), "model": options.model}
    base = {"right": fmean(before["right"]), "tokens": before["tokens"]}
    put(options.json, json.dumps({**found, "before": base, "rows": rows}, ensure_ascii=False, indent=1) + "\n")
    show(options.docs, MARKS, "\n".join((TOLD, "", *table(rows, before), "", f"{named(found)}.")))
    say(f"{options.json}\n{options.docs}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
