"""Generate general questions whose answers a program can check, with several phrasings of each answer.

A `Task` has its items and its phrasings. Each phrasing has a fixed use: `train` phrasings go to general.train.jsonl and
to the corpus, `extra` phrasings only to the corpus, and `evaluation` phrasings only to general.eval.jsonl.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lexicon as lx
from wording import phrases

Blanks = dict[str, str]


@dataclass(frozen=True)
class Task:
    """A skill in one language: how to draw an item, how to ask and how to answer; `r` in the blanks is the reference."""

    name: str
    lang: str
    draw: Callable[[random.Random], Blanks]
    train: list[str]
    extra: list[str]
    evaluation: list[str]
    answers: list[str]

    @property
    def is_sum(self) -> bool:
        """True if the corpus contains wrong answers to it (see WRONG_SUMS in build.py)."""
        return self.name in ("sum", "difference")

    def ask(self, blanks: Blanks, phrasing: str) -> str:
        """Return the question in one phrasing."""
        return sentence(phrasing.format(**blanks))

    def answer(self, rng: random.Random, blanks: Blanks) -> str:
        """Return the right answer in a random phrasing."""
        return sentence(rng.choice(self.answers).format(**blanks))


def sentence(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def table(rows: list[tuple[str, str]], swap: bool = False) -> Callable[[random.Random], Blanks]:
    def draw(rng: random.Random) -> Blanks:
        x, r = rng.choice(rows)
        return {"x": r, "r": x} if swap else {"x": x, "r": r}

    return draw


def following(rows: list[str], step: int) -> Callable[[random.Random], Blanks]:
    def draw(rng: random.Random) -> Blanks:
        i = rng.randrange(len(rows))
        return {"x": rows[i], "r": rows[(i + step) % len(rows)]}

    return draw


def draw_sum(rng: random.Random) -> Blanks:
    """Draw two numbers of at least 1 whose sum is at most 99."""
    a = rng.randint(1, 98)
    b = rng.randint(1, 99 - a)
    a, b = (a, b) if rng.random() < 0.5 else (b, a)
    return {"a": str(a), "b": str(b), "r": str(a + b)}


def draw_difference(rng: random.Random) -> Blanks:
    """Draw two numbers up to 99, the bigger one first."""
    a = rng.randint(2, 99)
    b = rng.randint(1, a - 1)
    return {"a": str(a), "b": str(b), "r": str(a - b)}


def spoil_number(rng: random.Random, blanks: Blanks) -> Blanks:
    """Return the same item with a wrong result: one, two or ten too high or too low, or with swapped digits."""
    right = int(blanks["r"])
    wrong = rng.choice([right + 1, right - 1, right + 10, right - 10, right + 2, right - 2, int(str(right)[::-1])])
    return blanks | {"r": str(wrong if wrong != right and wrong >= 0 else right + 1)}


def sequence(rng: random.Random) -> Blanks:
    step = rng.choice([1, 2, 2, 3, 4, 5, 5, 10, 10])
    start = rng.randint(0, 20) if step < 5 else step * rng.randint(0, 4)
    shown = [start + step * i for i in range(4)]
    return {"x": ", ".join(map(str, shown)), "r": str(shown[-1] + step)}


def letters(rng: random.Random) -> Blanks:
    i = rng.randrange(25)
    return {"x": chr(65 + i), "r": chr(66 + i)}


def compare(bigger: bool) -> Callable[[random.Random], Blanks]:
    def draw(rng: random.Random) -> Blanks:
        a, b = rng.sample(range(1, 100), 2)
        return {"a": str(a), "b": str(b), "r": str(max(a, b) if bigger else min(a, b))}

    return draw


def parity(rng: random.Random) -> Blanks:
    a = rng.randint(1, 99)
    return {"a": str(a), "r": "odd" if a % 2 else "even", "z": "奇数" if a % 2 else "偶数"}


def double(rng: random.Random) -> Blanks:
    a = rng.randint(1, 49)
    return {"a": str(a), "r": str(2 * a)}


def half(rng: random.Random) -> Blanks:
    a = 2 * rng.randint(1, 49)
    return {"a": str(a), "r": str(a // 2)}


def neighbour(step: int) -> Callable[[random.Random], Blanks]:
    def draw(rng: random.Random) -> Blanks:
        a = rng.randint(1, 98)
        return {"a": str(a), "r": str(a + step)}

    return draw


def word(part: str) -> Callable[[random.Random], Blanks]:
    def draw(rng: random.Random) -> Blanks:
        w = rng.choice(lx.LETTERED)
        value = {"first": w[0].upper(), "last": w[-1].upper(), "count": str(len(w)), "spell": "-".join(w.upper())}[part]
        return {"x": w, "r": value}

    return draw


def digit_word(rng: random.Random) -> Blanks:
    i = rng.randrange(len(lx.NUMBER_WORDS))
    return {"x": str(i), "r": lx.NUMBER_WORDS[i]}


def parity_zh(rng: random.Random) -> Blanks:
    blanks = parity(rng)
    return {"a": blanks["a"], "r": blanks["z"]}


DRAWS: dict[str, Callable[[random.Random], Blanks]] = {
    "sum": draw_sum, "difference": draw_difference, "sequence": sequence, "letter-after": letters,
    "bigger": compare(True), "smaller": compare(False), "double": double, "half": half,
    "number-after": neighbour(1), "number-before": neighbour(-1), "in-words": digit_word,
    "first-letter": word("first"), "last-letter": word("last"), "letters": word("count"),
    "parity en": parity, "parity zh": parity_zh, "capital en": table(lx.CAPITALS), "capital zh": table(lx.CAPITALS_ZH),
    "continent en": table(lx.CONTINENTS), "continent zh": table(lx.CONTINENTS_ZH),
    "opposite en": table(lx.OPPOSITES), "opposite zh": table(lx.OPPOSITES_ZH), "plural": table(lx.PLURALS),
    "past": table(lx.PASTS), "colour en": table(lx.COLOURS), "colour zh": table(lx.COLOURS_ZH),
    "sound en": table(lx.SOUNDS), "sound zh": table(lx.SOUNDS_ZH), "baby": table(lx.BABIES),
    "to-zh": table(lx.TRANSLATIONS), "to-en": table(lx.TRANSLATIONS, swap=True),
    "day-after en": following(lx.DAYS, 1), "day-after zh": following(lx.DAYS_ZH, 1), "day-before": following(lx.DAYS, -1),
    "month-after en": following(lx.MONTHS, 1), "month-after zh": following(lx.MONTHS_ZH, 1),
}  # fmt: skip


def _task(row: dict[str, Any]) -> Task:
    draw = DRAWS.get(row["name"]) or DRAWS[f"{row['name']} {row['lang']}"]
    return Task(row["name"], row["lang"], draw, row["train"], row["extra"], row["evaluation"], row["answers"])


TASKS = [_task(row) for row in phrases("tasks")]
