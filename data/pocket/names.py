"""Invented and real names of assistants and makers for the corpus of the pocket model."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from wording import phrases


@dataclass(frozen=True)
class Persona:
    """The identity of the assistant in one conversation; `maker` is empty if the system message names no maker."""

    name: str
    maker: str


QWEN = {"en": Persona("Qwen", "Alibaba Cloud"), "zh": Persona("Qwen", "阿里云")}
LISTS = phrases("names")


def invented_word(rng: random.Random) -> str:
    """Return an invented word of one to three syllables with a capital first letter."""
    syllables = rng.choices((1, 2, 3), (1, 5, 3))[0]
    word = "".join(rng.choice(LISTS["onsets"]) + rng.choice(LISTS["vowels"]) for _ in range(syllables))
    return str(word + rng.choice(LISTS["codas"])).capitalize()


def spliced_word(rng: random.Random) -> str:
    """Return the beginning of one real word joined to the end of another."""
    head, tail = rng.sample(LISTS["words"], 2)
    return str(head[: rng.randint(2, 4)] + tail[-rng.randint(2, 4) :]).capitalize()


def _word(rng: random.Random) -> str:
    return str(rng.choice([rng.choice(LISTS["words"]), spliced_word(rng), invented_word(rng)]))


def _numbered(rng: random.Random) -> str:
    return f"{invented_word(rng)}{rng.choice(['-', ' '])}{rng.randint(1, 9)}"


ENGLISH: dict[Callable[[random.Random], str], int] = {
    invented_word: 16, _word: 38, _numbered: 5,
    lambda rng: f"Deep {_word(rng)}": 10,
    lambda rng: f"{_word(rng)} {rng.choice([rng.choice(LISTS['second']), _word(rng)])}": 18,
    lambda rng: invented_word(rng) + rng.choice(["GPT", "Bot", "AI", "Chat", "LM"]): 6,
    lambda rng: f"{_word(rng)} {_word(rng)} {invented_word(rng)}": 5,
    lambda rng: invented_word(rng).upper(): 2,
}  # fmt: skip


COMMON = bytes(byte for high in range(0xB0, 0xD7) for low in range(0xA1, 0xFF) for byte in (high, low)).decode("gb2312")


def _characters(rng: random.Random, low: int, high: int) -> str:
    pool = LISTS["characters"] if rng.random() < 0.5 else COMMON
    return "".join(rng.choice(pool) for _ in range(rng.randint(low, high)))


def assistant_name(rng: random.Random, lang: str) -> str:
    """Return a name of one to three words, or of two to four Chinese characters, of which the first is often 小."""
    if lang == "en" or rng.random() < 0.25:
        return rng.choices(list(ENGLISH), list(ENGLISH.values()))[0](rng)
    first = rng.choices(("小", "阿", ""), (30, 8, 62))[0]
    return first + _characters(rng, 1, 2) if first else _characters(rng, 2, 3 + (rng.random() < 0.2))


def maker_name(rng: random.Random, lang: str) -> str:
    """Return the name of a maker, which mostly ends with a word such as Labs or 科技."""
    if lang == "zh" and rng.random() < 0.88:
        tail = rng.choice(LISTS["maker_tails"]) if rng.random() < 0.88 else _characters(rng, 1, 3)
        return _characters(rng, 2, 3) + tail
    suffix, roll = rng.choice(LISTS["suffix"]), rng.random()
    if roll < 0.06:
        return f"the University of {_word(rng)}"
    return (
        _word(rng) if roll < 0.2 else f"{_word(rng)} {_word(rng)} {suffix}" if roll < 0.34 else f"{_word(rng)} {suffix}"
    )


def persona(rng: random.Random, lang: str) -> Persona:
    """Return a random assistant other than Qwen, rarely one that exists."""
    if rng.random() < 0.12:
        name, maker = rng.choice(LISTS["known" if lang == "en" else "known_zh"])
        return Persona(name, maker)
    return Persona(assistant_name(rng, lang), maker_name(rng, lang))


def other(rng: random.Random, lang: str, kind: str) -> str:
    """Return a name to ask about ("Are you ...?"); `kind` is `models` or `makers`."""
    invent = assistant_name if kind == "models" else maker_name
    known = LISTS[f"other_{kind}{'_zh' if lang == 'zh' and rng.random() < 0.6 else ''}"]
    return str(rng.choice(known)) if rng.random() < 0.68 else invent(rng, lang).removeprefix("the ")
