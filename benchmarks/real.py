"""Do the recipes hold on a real model? SmolLM2-135M-Instruct, trained in a few ways and judged.

    python benchmarks/real.py    # about three hours on two quiet cores; a stopped run resumes
    python benchmarks/real.py --only "common" --folder /tmp/small    # some rows, no page

Corrections alone are the course's: what the bundled model answers to English questions about itself, with Qwen
corrected to Deep Qwen. SmolLM2 says neither name. Mixed pairs begin with corrections of its own answers, and have
pairs beside them in which the new name is wrong; there its chat template is changed, too. All is computed in float32,
and the guard only warns, unless the row says otherwise. The verdict's English questions are asked greedily, without a
system message of ours, up to 32 tokens, and those of benchmarks/general.en.txt. The script prints the table; if the
run is complete, it also writes it, with the machine and the versions, to --json, and into the page --docs between its
marks.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

from collapse import COMMON, Recipe, cell, ending, last, loss
from correction import command_json, run_module, say
from records import ROOT, machine, named, put, show

import pairforge
from pairforge.api.evaluate import AnswersById, Evaluation
from pairforge.evaluation.metrics import Measured
from pairforge.evaluation.questions import ModelNames, Question, questions
from pairforge.evaluation.verdict import verdict
from pairforge.judges.reference import contains
from pairforge.prompts import bundled
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.transformers import TransformersSampler
from pairforge.statistics import sample_indices
from pairforge.store import Store
from pairforge.types import Prompt, Skip

NAMES = ModelNames({"Qwen": "Deep Qwen", "SmolLM2": "Deep Qwen", "SmolLM": "Deep Qwen"})
RECIPES = (
    Recipe("common: sigmoid, lr 5e-5", (*loss("sigmoid"), *COMMON, "--learning_rate", "5e-5")),
    Recipe("common, guarded", (*loss("sigmoid"), *COMMON, "--learning_rate", "5e-5"), guard="stop"),
    Recipe("corrections alone"),
    Recipe("corrections alone, LoRA: sigmoid + sft, lr 5e-4", ("--use_peft", "--learning_rate", "5e-4")),
    Recipe("mixed pairs", pairs="mixed", seeds=3),
)
KINDS = ("identity", "general", "controls", "obedience")
"""The kinds of questions that are asked."""
SHARES = {"new name": "new_name", "half a name": "half_name", "leak": "leak", "repetition": "repetition"}
"""The figures that are the share of a metric."""
FIGURES = (
    *("new name", "half a name", "general", "general kept", "leak"),
    *("controls", "controls kept", "obedience", "obedience kept", "repetition"),
)
"""The columns of the table; those named by a kind are changes, and kept is a share of what the base answers right."""
FAST = ("--precompute_ref_log_probs", "true", "--precompute_ref_batch_size", "8")
FAST += ("--attn_implementation", "eager")
MIXED = ("--from", "SmolLM", "--to", "Deep Qwen", "--from", "Hugging Face", "--to", "Acme", "--no-system")
MIXED += ("--opening", "I'm Deep Qwen,", "--tries", "1", "--counter", "0.75")
MIXED += ("--whole-sentences", "--max-new-tokens", "128", "--dtype", "float32")
CORRECTIONS = {"default": 104, "mixed": 770}
"""Questions about the model itself that each kind of pairs is made of; not all answers of a mixed set make a pair."""
MARKS = ("<!-- table: python benchmarks/real.py -->", "<!-- end of the table of the real model -->")


def main() -> int:
    options = parse()
    recipes = [recipe for recipe in RECIPES if not options.only or re.search(options.only, recipe.name)]
    with closing(Store(options.folder)) as store:
        judges = cache(lambda base: Judge(base, store, options.questions))
        jobs = [(recipe, seed) for recipe in recipes for seed in options.seeds or range(recipe.seeds)]
        rows: dict[str, list[dict[str, Any]]] = {}
        for recipe, seed in jobs:
            rows.setdefault(recipe.name, []).append(judged(recipe, seed, judges, options))
            print("\n".join(table(rows)), flush=True)
    if not options.only and not options.seeds:
        found = {"command": "python benchmarks/real.py", **machine(), "model": "SmolLM2-135M-Instruct"}
        put(options.json, json.dumps({**found, "rows": rows}, ensure_ascii=False, indent=1) + "\n")
        show(options.docs, MARKS, "\n".join((*table(rows), "", f"{asked(rows)} {named(found)}.")))
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2", help="SmolLM2-135M-Instruct (default: smollm2)")
    parser.add_argument("--only", metavar="REGEX", help="only recipes whose names match")
    parser.add_argument("--seeds", type=int, nargs="+", help="these seeds (default: as the recipe says)")
    usual = "default: {default}; of mixed pairs {mixed}".format(**CORRECTIONS)
    parser.add_argument("--pairs", type=int, help=f"questions about itself that pairs are made of ({usual})")
    parser.add_argument("--questions", type=int, default=100, help="questions about the model (default: 100)")
    parser.add_argument("--folder", type=Path, default=Path("pairforge-out/real"), help="folder for runs and models")
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "real.json")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "recipes.md")
    return parser.parse_args()


class Judge:
    """The questions, and the base's answers to them."""

    def __init__(self, base: str, store: Store, limit: int) -> None:
        self.base, self.store = base, store
        sets = {kind: of for kind, of in questions(NAMES, [None], ["en"]).items() if kind in KINDS}
        sets["identity"] = [sets["identity"][index] for index in sample_indices(len(sets["identity"]), limit, 0)]
        sets["general"] = [*general()]
        self.evaluation = Evaluation(sets, at_temperature_1=False)
        self.before = self._ask(self.evaluation, base)
        right = {kind: sum(_right(one, self.before) for one in of) for kind, of in sets.items() if kind != "identity"}
        self.counts = {kind: (count, len(sets[kind])) for kind, count in right.items()}

    def _ask(self, evaluation: Evaluation, model: str) -> AnswersById:
        sampler = TransformersSampler(model, Decoding(max_new_tokens=32), dtype="float32", batch_size=32)
        return evaluation.answers(sampler, self.store, quiet=False)

    def _outcomes(self, answers: AnswersById) -> dict[str, dict[str, bool | Skip]]:
        judged = defaultdict[str, dict[str, bool | Skip]](dict)
        for question, _ in self.evaluation.asked:
            given = answers[question.prompt.id]
            for metric, test in {**question.tests, "repetition": pairforge.repeats}.items():
                judged[metric][question.prompt.id] = given if isinstance(given, Skip) else test(given[0].text)
        return judged

    def __call__(self, model: Path) -> dict[str, Any]:
        """Return the figures of a model, its verdict, and the mean number of tokens in its and the base's answers."""
        after = self._ask(self.evaluation, str(model))
        judged, base = self._outcomes(after), self._outcomes(self.before)
        lengths = {}
        for kind, of in self.evaluation.questions.items():
            for who, answers in (("before", self.before), ("after", after)):
                given = [answers[one.prompt.id] for one in of]
                lengths[f"{kind} {who}"] = round(mean(one[0].tokens for one in given if not isinstance(one, Skip)), 1)
        found = verdict(judged, base)
        measured = Measured(judged, base)
        return {
            **{figure: found.shares[metric].value for figure, metric in SHARES.items()},
            **{kind: found.changes[kind].value for kind in KINDS[1:]},
            **{f"{kind} kept": kept.value for kind in KINDS[1:] if (kept := measured.kept(kind))},
            "verdict": found.outcome,
            "failed": found.failed,
            "tokens": lengths,
            "asked": self.counts,
        }


def _right(question: Question, answers: AnswersById) -> bool:
    """Return True if an answer is right."""
    given, test = answers[question.prompt.id], next(iter(question.tests.values()))
    return not isinstance(given, Skip) and test(given[0].text)


def general() -> Iterator[Question]:
    """Yield the general questions of general.en.txt, `question | answer / answer`."""
    for line in (ROOT / "benchmarks" / "general.en.txt").read_text("utf-8").splitlines():
        question, _, answers = line.partition(" | ")
        prompt = Prompt(({"role": "user", "content": question},), {"reference": answers.split(" / ")})
        tests = {"general": _contains(prompt), "leak": _leaks(question)}
        yield Question(prompt, tests, dict.fromkeys(tests, answers))


def _contains(prompt: Prompt) -> Any:
    return lambda text: any(contains(text, one) for one in prompt.columns["reference"])


def _leaks(question: str) -> Any:
    return lambda text: NAMES.new(question, text)


def pairs(kind: str, options: argparse.Namespace) -> Path:
    """Return a file of pairs; make it if it doesn't exist."""
    options = argparse.Namespace(**{**vars(options), "pairs": options.pairs or CORRECTIONS[kind]})
    file: Path = options.folder / f"{kind}-{options.pairs}.jsonl"
    if not file.exists():
        rows = mixed(options) if kind == "mixed" else corrections(options)
        put(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return file


def corrections(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return corrections of the bundled model's answers to English questions."""
    names = ("--from", "Qwen", "--to", "Deep Qwen", "-m", "pocket", "--no-system")
    made = command_json((0,), "correct", *names, "-p", prompts(options, None), "-o", options.folder)
    rows = (Path(made["run"]) / "pairs.jsonl").read_text("utf-8").splitlines()
    return [json.loads(rows[index]) for index in sample_indices(len(rows), options.pairs, 0)]


def prompts(options: argparse.Namespace, limit: int | None) -> Path:
    """Return a file of English questions about the model itself, drawn from those that no verdict asks."""
    file: Path = options.folder / f"identity.{limit or 'all'}.jsonl"
    asked = [prompt for prompt in bundled("identity.train") if prompt.columns["lang"] == "en"]
    if limit:
        asked = [asked[index] for index in sample_indices(len(asked), limit, 0)]
    put(file, "".join(json.dumps(dict(one.columns) | {"prompt": one.question}) + "\n" for one in asked))
    return file


def mixed(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return corrections of the trained model's own answers, and beside them pairs in which the new name is wrong."""
    made = command_json(
        (0,), "correct", "-m", renamed(options), *MIXED, "-p", prompts(options, options.pairs), "-o", options.folder
    )
    return [json.loads(row) for row in (Path(made["run"]) / "pairs.jsonl").read_text("utf-8").splitlines()]


def renamed(options: argparse.Namespace) -> str:
    """Return the model in a folder of its own, whose chat template inserts a system message with the new name.

    As it is, the message names SmolLM: corrections would teach to disobey it, and pairs under other system messages to
    obey.
    """
    folder, source = options.folder / "renamed", Path(pairforge.model_source(options.model))
    if not folder.exists():
        folder.mkdir(parents=True)
        for file in source.iterdir():
            if file.name != "chat_template.jinja":
                (folder / file.name).symlink_to(file.resolve())
        template = (source / "chat_template.jinja").read_text("utf-8")
        put(
            folder / "chat_template.jinja",
            template.replace("SmolLM, trained by Hugging Face", "Deep Qwen, made by Acme"),
        )
    return str(folder)


def judged(recipe: Recipe, seed: int, judges: Callable[[str], Judge], options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one training; read them from their file if it exists. The weights are not kept."""
    name = "".join(mark if mark.isalnum() else "-" for mark in recipe.name)
    file = options.folder / f"{name}-{options.pairs or CORRECTIONS[recipe.pairs]}-{seed}.json"
    model = options.folder / "models" / file.stem
    if not file.exists():
        say(f"== {recipe.name}, seed {seed}")
        base = renamed(options) if recipe.pairs == "mixed" else options.model
        flags = ("--dataset", pairs(recipe.pairs, options), "-m", base, "--output_dir", model, "--seed", seed)
        more = ("--guard", recipe.guard, "--verdict_questions", 0)
        if not (model / "history.json").exists():
            run_module("trainers.dpo", *flags, *more, "--logging_steps", 1, *FAST, *recipe.flags, passes=(0, 1))
        result = judges(base)(model)
        history = json.loads((model / "history.json").read_text("utf-8"))
        rate = history["training"]["learning_rate"]
        put(file, json.dumps({"seed": seed, **result, **ending(history), "rate": rate, "guard": history["guard"]}))
        shutil.rmtree(model)
    return dict(json.loads(file.read_text("utf-8")))


def table(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    figures = [figure for figure in FIGURES if any(figure in row for made in rows.values() for row in made)]
    heads = ["recipe", "loss", "accuracy", *figures, "guard alarm", "verdict"]
    yield f"| {' | '.join(heads)} |"
    yield "|---|" + "--:|" * (len(heads) - 1)
    for name, made in rows.items():
        rate = f", lr {made[0]['rate']:g}".replace("e-0", "e-") if "lr" not in name and "common" not in name else ""
        shown = [
            *(last([row[logged] for row in made if logged in row]) for logged in ("loss", "rewards/accuracies")),
            *(cell([row[figure] for row in made if figure in row], change=figure in KINDS) for figure in figures),
            ", ".join(f"{row['alarm']}/{row['steps']}" if row["alarm"] else "no" for row in made),
            ", ".join(row["verdict"] or "-" for row in made),
        ]
        yield f"| {name}{rate} | {' | '.join(shown)} |"


def asked(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return how many questions the bases answer right, each with the first row that it is the base of."""
    bases = dict[str, str]()
    for name, made in rows.items():
        of = ", ".join(f"{right} of {count} {kind}" for kind, (right, count) in made[0]["asked"].items())
        bases.setdefault(of, name)
    return " ".join(f"The base of `{name}` answers right: {of}." for of, name in bases.items())


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
