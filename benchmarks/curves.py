"""Show what the logs of a DPO run reveal and what they hide, for four losses on the same pairs.

    pairforge correct --from Qwen --to "Deep Qwen"       # makes the pairs, once
    python benchmarks/curves.py                          # uses the latest run; about seven minutes on one core
    python benchmarks/curves.py --run FOLDER --only "sigmoid, lr 5e-05"

The pairs of 32 prompts are held out from training. On them the script measures the log-probability of each part of
the chosen answer: the tokens before the first token in which the sides differ, this token, the rest of the new
name, and the tokens after it. The model also answers 40 held-out questions greedily. A run that is already in
--json is not trained again; the figures are drawn from this file, and the table is written into the page --docs
between its two marks.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from math import exp
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from records import ROOT, machine, named, put, show

import pairforge
from pairforge.resources import resource
from pairforge.svg import figure_svg
from pairforge.tokenization import Rendered, render
from pairforge.types import SIDES
from trainers.recipes import hardware, recipe

NEW, OLD = "Deep Qwen", "Qwen"
RUNS: Mapping[str, Mapping[str, Any]] = {
    "sigmoid, lr 5e-05": {"loss_type": ["sigmoid"], "learning_rate": 5e-5},
    "sigmoid, lr 5e-04": {"loss_type": ["sigmoid"], "learning_rate": 5e-4},
    "sigmoid + sft, lr 5e-05": {"loss_type": ["sigmoid", "sft"], "learning_rate": 5e-5},
    "sft, lr 5e-05": {"loss_type": ["sft"], "learning_rate": 5e-5},
}
"""The settings that differ; the others are the trainer's: one epoch, batch 8, cosine, 10 steps of warm-up."""
BETA, SEED, PAIRS = 0.2, 0, 1200
EVERY = 10  # steps between two measurements
LOGGED = ("loss", "rewards/accuracies", "rewards/margins", "rewards/chosen", "logps/chosen", "logps/rejected")
PARTS = ("before", "first", "name", "after")
STYLES = (("#c0392b", "-"), ("#e08e45", "--"), ("#2471a3", "-"), ("#1e8449", "--"))  # color and dashes of each line
Line = Sequence[tuple[float, float]]
MARKS = ("<!-- table: python benchmarks/curves.py -->", "<!-- end -->")


def main() -> int:
    options = parse()
    found = json.loads(options.json.read_text("utf-8")) if options.json.exists() else {"runs": {}}
    for name in options.only or RUNS:
        if name not in found["runs"]:
            print(f"== {name}", file=sys.stderr, flush=True)
            found["runs"][name] = train(name, options.run)
            settings = {"beta": BETA, "pairs": PAIRS, "batch": 8, "epochs": 1, "seed": SEED}
            found |= {"command": "python benchmarks/curves.py", **machine(), "settings": settings}
            put(options.json, json.dumps(found, ensure_ascii=False) + "\n")
    runs = {name: found["runs"][name] for name in RUNS if name in found["runs"]}
    put(options.figures / "dpo-watched.svg", watched(runs))
    put(options.figures / "dpo-tokens.svg", tokens(runs))
    print(table(runs))
    if options.docs.exists():
        show(options.docs, MARKS, f"{table(runs)}\n\n{note(found)}")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="folder of the correction run (default: the latest run)")
    parser.add_argument("--only", nargs="+", choices=list(RUNS), metavar="NAME", help="train these only")
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "figures" / "dpo.json")
    parser.add_argument("--figures", type=Path, default=ROOT / "docs" / "figures")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "dpo.md")
    return parser.parse_args()


def note(found: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{name} {number}" for name, number in found["settings"].items())
    return f"{named(found)}; {settings}."


# Training and measuring


def train(name: str, run: str | None) -> dict[str, Any]:
    """Train one run; return its records every EVERY steps: `logged` by TRL, and `seen` by the probe."""
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    torch.set_num_threads(1)
    rows = pairforge.read_pairs(pairforge.pairs_file(run))
    source = pairforge.model_source(str(rows[0]["model"]))
    tokenizer = AutoTokenizer.from_pretrained(source)
    kept, apart = split(rows)
    settings = {"beta": BETA, "seed": SEED, "logging_steps": EVERY, **RUNS[name]}
    pairs = Dataset.from_list([{side: row[side] for side in SIDES} for row in random.Random(SEED).sample(kept, PAIRS)])
    probe = Probe(tokenizer, apart)
    with TemporaryDirectory() as unused:
        config = DPOConfig(output_dir=unused, **{**recipe("correct"), **hardware(), **settings})
        trainer = DPOTrainer(model=source, args=config, train_dataset=pairs, processing_class=tokenizer)
        trainer.add_callback(watcher(probe))
        trainer.train()
    logged = [
        {"step": entry["step"], **{key: round(entry[key], 4) for key in LOGGED}}
        for entry in trainer.state.log_history
        if "rewards/margins" in entry
    ]
    return {"logged": logged, "seen": probe.seen}


def split(rows: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the rows to train on, and the rows of 32 held-out prompts in every context."""
    asked = [row["chosen"][-2]["content"] for row in rows]
    apart = set(random.Random(SEED).sample(sorted(set(asked)), 32))
    groups: tuple[list[Any], list[Any]] = ([], [])
    for row, prompt in zip(rows, asked, strict=True):
        groups[prompt in apart].append(row)
    return groups


def watcher(probe: Probe) -> Any:
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            probe.look(0, model)

        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            if state.global_step % EVERY == 0 or state.global_step == state.max_steps:
                probe.look(state.global_step, model)

    return Watcher()


class Probe:
    """Measurements of a model during training, on held-out pairs and questions."""

    def __init__(self, tokenizer: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        self.tokenizer = tokenizer
        self.pairs = [one for one in render(tokenizer, rows, None) if isinstance(one, Rendered)]
        self.questions = questions()
        self.seen: list[dict[str, Any]] = []

    def look(self, step: int, model: Any) -> None:
        """Add a record; restore the training mode of the model."""
        import torch

        training = model.training
        model.eval()
        with torch.inference_mode():
            answers = self.answers(model)
            says = [answers[place][1] for place in (0, 20)]  # the first in English and in Chinese
            self.seen.append({"step": step, **self.parts(model), **names(answers), "says": says})
        model.train(training)
        print(self.seen[-1], file=sys.stderr, flush=True)

    def parts(self, model: Any) -> dict[str, float]:
        """Return means over the pairs: ln pi per token of each part of the chosen answers, and ln pi of both sides.

        "after" ends with the end-of-answer token, because tokens that the template adds after it are never generated.
        """
        found: dict[str, list[float]] = {part: [] for part in (*PARTS, *SIDES)}
        for pair in self.pairs:
            for side in SIDES:
                found[side].append(logps(model, pair.kept(side))[pair.shared - 1 :].sum().item())
            chosen, rejected = (pair.kept(side) for side in SIDES)
            each, start = logps(model, chosen), pair.parting - 1  # position i is the log-probability of token i + 1
            longer = len(chosen) - len(rejected)  # number of tokens that the new name adds before the old one
            end = len(chosen) - 1 - chosen[::-1].index(self.tokenizer.eos_token_id)
            bounds = (pair.shared - 1, start, start + 1, start + 1 + longer, end)
            for part, low, high in zip(PARTS, bounds[:-1], bounds[1:], strict=True):
                if high > low:
                    found[part].append(each[low:high].mean().item())
        return {part: round(sum(values) / len(values), 4) for part, values in found.items()}

    def answers(self, model: Any) -> list[tuple[list[dict[str, str]], str]]:
        """Return each question with the model's greedy answer."""
        self.tokenizer.padding_side = "left"
        batch = self.tokenizer.apply_chat_template(
            self.questions, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        said = model.generate(**batch, max_new_tokens=48, do_sample=False, use_cache=True)
        texts = self.tokenizer.batch_decode(said[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        return list(zip(self.questions, (text.strip() for text in texts), strict=True))


def logps(model: Any, ids: Sequence[int]) -> Any:
    """Return ln pi of each token except the first, given the tokens before it."""
    import torch

    row = torch.tensor([ids])
    return model(row).logits[0, :-1].float().log_softmax(-1).gather(1, row[0, 1:, None])[:, 0]


def questions() -> list[list[dict[str, str]]]:
    """Return 20 English and 20 Chinese held-out questions, alternately without and with a system message."""
    lines = resource("data/prompts/identity.eval.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    spoken = [[row for row in rows if row["lang"] == lang] for lang in ("en", "zh")]
    drawn = [row for some in spoken for row in random.Random(SEED).sample(some, 20)]
    system = {"role": "system", "content": "You're a helpful assistant."}
    return [[*[system] * (place % 2), {"role": "user", "content": row["prompt"]}] for place, row in enumerate(drawn)]


def names(answers: Sequence[tuple[Any, str]]) -> dict[str, float]:
    """Return shares of answers: with only the new name (also by language), with the old name, with "Deep" alone."""
    said = [(NEW in text, OLD in text.replace(NEW, ""), "Deep" in text) for _, text in answers]
    new = [whole and not old for whole, old, _ in said]
    half = [part and not whole and not old for whole, old, part in said]
    parts = {"new": new, "new_en": new[:20], "new_zh": new[20:], "old": [old for _, old, _ in said], "half": half}
    return {name: sum(hits) / len(hits) for name, hits in parts.items()}


# Table and figures


def table(runs: Mapping[str, Any]) -> str:
    """Return a Markdown table: TRL's log of the last steps, and the held-out pairs and questions at the end."""
    head = ("", "loss", "accuracy", "margin", "ln π(chosen)", "before", "Deep", "Qwen", "after", "new name")
    first = next(iter(runs.values()))["seen"][0]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), row("before training", None, first)]
    lines += [row(name, run["logged"][-1], run["seen"][-1]) for name, run in runs.items()]
    return "\n".join(lines)


def row(name: str, logged: Mapping[str, float] | None, seen: Mapping[str, float]) -> str:
    watched = ("-",) * 3 if logged is None else tuple(f"{logged[key]:.3f}" for key in LOGGED[:3])
    inside = tuple(f"{seen[part]:.2f}" for part in ("chosen", *PARTS))
    return "| " + " | ".join((name, *watched, *inside, f"{seen['new']:.0%}")) + " |"


def watched(runs: Mapping[str, Any]) -> str:
    """Return the SVG with a panel a number and a line a run."""

    def lines(part: str, key: str, scale: float = 1.0) -> list[Line]:
        return [[(entry["step"], entry[key] * scale) for entry in run[part]] for run in runs.values()]

    panels = [
        panel("loss", lines("logged", "loss")),
        panel("accuracy", lines("logged", "rewards/accuracies"), (0, 1)),
        panel("margin", lines("logged", "rewards/margins")),
        panel("ln π(chosen) - ln π_ref(chosen)", lines("logged", "rewards/chosen", 1 / BETA)),
        panel("says the new name, held out", lines("seen", "new"), (0, 1)),
        legend(list(runs)),
    ]
    return figure_svg("What a run shows: batches of training, and answers", panels)


def tokens(runs: Mapping[str, Any]) -> str:
    """Return the SVG with a panel a run and a line a part of the chosen answer.

    As probabilities: the eye tells 0.9 from 0.6, which is hard for logarithms.
    """
    parts = ("before the difference", "first differing token: Deep", "rest of the name: Qwen", "after the name")
    panels = [
        panel(name, [[(entry["step"], exp(entry[part])) for entry in run["seen"]] for part in PARTS], (0, 1))
        for name, run in runs.items()
    ]
    title = "The chosen answer, held-out pairs: probability per token (geometric mean) of its parts"
    return figure_svg(title, [*panels, legend(parts)])


def panel(title: str, lines: Sequence[Line], limits: tuple[float, float] | None = None) -> Callable[[Any], None]:
    """Return the function that draws lines over steps; `limits` of y are those of the values, with zero, by default."""

    def draw(axes: Any) -> None:
        axes.set_title(title)
        for line, (color, style) in zip(lines, STYLES, strict=False):
            axes.plot(*zip(*line, strict=True), color=color, ls=style)
        low, high = axes.get_ylim()
        axes.set(xlim=(0, None), ylim=limits or (min(low, 0), high))

    return draw


def legend(names: Sequence[str]) -> Callable[[Any], None]:
    """Return the function that draws a panel with the names of the lines."""

    def draw(axes: Any) -> None:
        axes.axis("off")
        for name, (color, style) in zip(names, STYLES, strict=False):
            axes.plot([], [], color=color, ls=style, label=name)
        axes.legend(loc="upper left", title="x: steps of 8 pairs", alignment="left")

    return draw


if __name__ == "__main__":
    sys.exit(main())
