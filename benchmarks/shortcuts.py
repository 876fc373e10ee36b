"""Measure how many planted shortcuts `pairforge shortcuts` finds, and how many false ones it reports.

    python benchmarks/shortcuts.py                       # generated texts; some minutes on one core
    python benchmarks/shortcuts.py --base PAIRS --seeds 5 --only recall null

The two answers of each pair are swapped with probability 1/2, so that nothing distinguishes the sides; then a
planted shortcut changes a share of the pairs. A finding is true if at least a quarter of its imbalance disappears
when the planted shortcut is removed. There are four kinds of sets: pairs with planted shortcuts (recall), pairs
without any (null), pairs in which only the length differs (length), and pairs with repeated prompts (repeated). If
the file of --base has too few pairs, new pairs are combined from its answers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import mean
from typing import Any, TypeAlias

from pairforge import formats
from pairforge.checks.shortcuts import Cue, Report, audit
from pairforge.checks.shortcuts.counting import TokenizedText, feature_measure
from pairforge.checks.shortcuts.features import Feature
from pairforge.prompts import bundled

Pair: TypeAlias = tuple[str, str, str]
"""Prompt, chosen, rejected."""
Edit: TypeAlias = Callable[[str, random.Random], str]
TARGETS = {(1000, 0.3): 1.0, (1000, 0.1): 0.95, (1000, 0.03): 0.7, (5000, 0.03): 0.9, (5000, 0.01): 0.7}


def inside(*choices: str) -> Edit:
    """Insert one of the phrases between two words."""

    def edit(text: str, rng: random.Random) -> str:
        places = [match.start() for match in re.finditer(r"(?<=\S) (?=\S)|(?<=[，。])", text)] or [len(text)]
        at = rng.choice(places)
        return f"{text[:at]} {rng.choice(choices)}{text[at:]}"

    return edit


def around(before: str = "", after: str = "") -> Edit:
    return lambda text, rng: f"{before}{text}{after}"


def changed(pattern: str, to: str | Callable[[re.Match[str]], str], count: int = 1) -> Edit:
    return lambda text, rng: re.sub(pattern, to, text, count=count)


def cut(text: str, rng: random.Random) -> str:
    return text[: max(10, int(len(text) * 0.7))]


def longer(text: str, rng: random.Random) -> str:
    """Make the text 40 % longer with its own sentences."""
    sentences = re.split(r"(?<=[.!?。])\s+", text)
    extra: list[str] = []
    while sum(map(len, extra)) < 0.4 * len(text):
        extra.append(rng.choice(sentences))
    return " ".join([text, *extra])


@dataclass(frozen=True)
class Plant:
    """A planted shortcut: a change of the chosen (1) or rejected (2) answer, and a pattern of findings that name it."""

    name: str
    edit: Edit
    named: str
    side: int = 1


DATES = [f"{day} {month} {year}" for day in (3, 14, 27) for month in ("March", "July") for year in (1987, 2004, 2019)]
PLANTS = (
    Plant("rare word", inside("zephyr"), "zephyr"),
    Plant("common word", inside("however"), "however|connective"),
    Plant("opening", around("Certainly! "), "Certainly|affirmative|exclamation|marks? without"),
    Plant("closing", around("", " I hope this helps!"), "hope|helps|offers|exclamation"),
    Plant("bold opening", changed(r"^\w+", lambda match: f"**{match[0]}**"), r"bold|\*|asterisk|marks at"),
    Plant("header", around("## Answer\n\n"), "header|Answer|#|line|paragraph|mark"),
    Plant("longer", longer, "characters|words|sentence|line"),
    Plant("cut off", cut, "without a mark|full stop|characters|words", 2),
    Plant("Chinese word", inside("深度"), "深|度|Chinese|non-ASCII|字"),
    Plant("Chinese closing", around("", "希望对你有帮助"), "希望|帮助|Chinese|non-ASCII|字|offers"),
    Plant("Chinese full stop", changed(r"\.", "。"), "。|full stop|non-ASCII|ending|symbol|字"),
    Plant("word in rejected", inside("zephyr"), "zephyr", 2),
    Plant("space at the start", around(" "), "space"),
    Plant("line break at the end", around("", "\n"), "line|↵"),
    Plant("emoji of many kinds", inside(*"😀🎉🚀🔥✨💡🌟👍😊🙌🎯📚🌍🍀🧠"), "emoji|☺|non-ASCII|[^\x00-\x7f]"),
    Plant("dates", inside(*DATES), "0|number|digit|year|March|July"),
)


def sentences() -> list[str]:
    """Return sentences to build answers from: the bundled prompts."""
    found = [
        prompt.question for kind in ("general.train", "controls.train", "identity.train") for prompt in bundled(kind)
    ]
    return sorted({text if text[-1] in ".?!。？！" else f"{text}." for text in found if len(text) < 200})


class Generated:
    """Pairs of answers built from random sentences with very unequal frequencies, in one, two or three paragraphs."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self.sentences = sentences()
        rng.shuffle(self.sentences)
        self.weights = [1 / (place + 20) for place in range(len(self.sentences))]

    def pairs(self, count: int, rng: random.Random) -> list[Pair]:
        def text() -> str:
            drawn = rng.choices(self.sentences, self.weights, k=rng.randint(3, 14))
            return "".join(one + rng.choice((" ", " ", " ", "\n\n")) for one in drawn).strip()

        return [(f"Question {number}?", text(), text()) for number in range(count)]


class FromFile:
    """Pairs of a file, randomly swapped; if more pairs are needed, its answers are combined at random."""

    def __init__(self, path: str) -> None:
        rows = [
            (json.dumps(row["chosen"][:-1]), row["chosen"][-1], row["rejected"][-1]) for row in formats.read_rows(path)
        ]
        self.rows = [
            (one, chosen["content"], rejected["content"]) for one, chosen, rejected in rows if chosen != rejected
        ]

    def pairs(self, count: int, rng: random.Random) -> list[Pair]:
        if count <= len({prompt for prompt, _, _ in self.rows}):
            unique = list({row[0]: row for row in rng.sample(self.rows, len(self.rows))}.values())[:count]
            return [(prompt, *rng.sample(answers, 2)) for prompt, *answers in unique]  # type: ignore[misc]
        answers = [text for _, *both in self.rows for text in both]
        return [(f"Question {number}?", *rng.sample(answers, 2)) for number in range(count)]  # type: ignore[misc]


def rows(pairs: Sequence[Pair]) -> Iterator[dict[str, Any]]:
    for prompt, *answers in pairs:
        sides = ([{"role": "user", "content": prompt}, {"role": "assistant", "content": text}] for text in answers)
        yield dict(zip(("chosen", "rejected"), sides, strict=True))


def planted(pairs: Sequence[Pair], plant: Plant, share: float, rng: random.Random) -> list[Pair]:
    made = [list(pair) for pair in pairs]
    for index in rng.sample(range(len(made)), max(1, round(share * len(made)))):
        made[index][plant.side] = plant.edit(made[index][plant.side], rng)
    return [(prompt, chosen, rejected) for prompt, chosen, rejected in made]


def imbalance(cue: Cue, pairs: Sequence[Pair]) -> int:
    """Wins less losses of the feature."""
    measure = feature_measure(Feature(cue.kind, cue.feature, tuple(cue.tokens)))
    return sum(
        (a > b) - (a < b)
        for a, b in ((measure(TokenizedText(one)), measure(TokenizedText(other))) for _, one, other in pairs)
    )


def true(cue: Cue, before: Sequence[Pair], after: Sequence[Pair]) -> bool:
    with_plant = imbalance(cue, after)
    return with_plant != 0 and (with_plant - imbalance(cue, before)) / with_plant >= 0.25


def names(cue: Cue, plant: Plant) -> bool:
    return any(re.search(plant.named, text, re.I) for text in (cue.feature, cue.phrase))


def recall(
    base: Generated | FromFile, seeds: int, plants: Sequence[Plant], sizes: Sequence[int] = (1000, 5000)
) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for (size, share), target in ((cell, target) for cell, target in TARGETS.items() if cell[0] in sizes):
        found, false, top, missed = [], [], [], []
        for plant in plants:
            for seed in range(seeds):
                rng = random.Random(f"{plant.name} {size} {share} {seed}")
                before = base.pairs(size, rng)
                after = planted(before, plant, share, rng)
                cues = audit(rows(after)).cues
                truth = [true(cue, before, after) for cue in cues]
                found.append(any(truth))
                false.append(truth.count(False) / max(1, len(truth)))
                top.append(bool(cues) and truth[0] and names(cues[0], plant))
                missed += [] if any(truth) else [plant.name]
        cells[f"{size} pairs, {share:.0%}"] = {
            "recall": mean(found), "target": target, "false": mean(false), "top": mean(top),
            "missed": sorted(set(missed)),
        }  # fmt: skip
    return cells


def null(base: Generated | FromFile, seeds: int) -> dict[str, Any]:
    found = {}
    for size, sets in ((100, 20), (1000, 10), (5000, 2)):
        flagged = [report for report in _audits(base, size, sets * seeds) if report.cues or report.verdict != "ok"]
        found[f"{size} pairs"] = {"sets": sets * seeds, "flagged": len(flagged)}
    return found


def _audits(base: Generated | FromFile, size: int, sets: int) -> Iterator[Report]:
    for seed in range(sets):
        yield audit(rows(base.pairs(size, random.Random(f"null {size} {seed}"))))


def length_only(base: Generated | FromFile, seeds: int) -> dict[str, Any]:
    """Test sets of 5000 pairs in which the longer answer is chosen more often, and nothing else differs."""
    found = {}
    for share in (0.6, 0.69, 0.76):
        false = []
        for seed in range(seeds):
            rng = random.Random(f"length {share} {seed}")
            pairs = [
                (prompt, *sorted((one, other), key=len, reverse=rng.random() < share))
                for prompt, one, other in base.pairs(5000, rng)
            ]
            cues = audit(rows(pairs)).cues  # type: ignore[arg-type]
            false.append(sum(cue.kind not in ("length", "style") for cue in cues))
        found[f"{share:.0%} longer"] = {"false n-grams a set": mean(false)}
    return found


def repeated(base: Generated | FromFile, seeds: int) -> dict[str, Any]:
    """Test 200 prompts 25 times each, with the same two answers and different text after them."""
    flagged = 0
    for seed in range(seeds):
        rng = random.Random(f"repeated {seed}")
        made = []
        for prompt, one, other in base.pairs(200, rng):
            for _, more, less in base.pairs(25, rng):
                made.append((prompt, f"{one} {more[:40]}", f"{other} {less[:40]}"))
        flagged += len(audit(rows(made)).cues)
    return {"sets": seeds, "false findings": flagged}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="a file of pairs to use instead of generated pairs")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=("recall", "null", "length", "repeated"))
    parser.add_argument("--plants", nargs="+", help="names of the planted shortcuts to use (default: all)")
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=(1000, 5000), help="numbers of pairs in sets with planted shortcuts"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    base = FromFile(given.base) if given.base else Generated(0)
    plants = [plant for plant in PLANTS if not given.plants or plant.name in given.plants]
    worlds: dict[str, Callable[[], dict[str, Any]]] = {
        "recall": lambda: recall(base, given.seeds, plants, given.sizes),
        "null": lambda: null(base, given.seeds),
        "length": lambda: length_only(base, given.seeds),
        "repeated": lambda: repeated(base, given.seeds),
    }
    start = time.process_time()
    found = {name: run() for name, run in worlds.items() if not given.only or name in given.only}
    machine = {
        "python": platform.python_version(), "numpy": version("numpy"),
        "machine": platform.machine(), "cores": os.cpu_count(), "CPU seconds": round(time.process_time() - start),
    }  # fmt: skip
    if given.json:
        print(json.dumps({"machine": machine, **found}, ensure_ascii=False, indent=2))
        return
    for world, cells in found.items():
        print(world)
        for name, cell in cells.items():
            print(f"  {name:18} {_shown(cell)}")
    print(" ".join(f"{name} {value}" for name, value in machine.items()))


def _shown(cell: Any) -> str:
    if not isinstance(cell, dict):
        return str(cell)
    return "  ".join(
        f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in cell.items()
    )


if __name__ == "__main__":
    main()
