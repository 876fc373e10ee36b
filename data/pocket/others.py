"""Generate questions about others: products and makers, short texts with names, small talk, impossible requests."""

from __future__ import annotations

import random

from names import LISTS, assistant_name, invented_word, maker_name
from skills import sentence
from wording import phrases


def fact(rng: random.Random, lang: str) -> tuple[str, str]:
    """Return a question about a real product, often of the Qwen family, and its answer."""
    table = phrases("others", lang)
    facts = table["facts"]
    thing, maker, what = rng.choice(facts[:3] if rng.random() < 0.2 else facts)
    roll = rng.random()
    if roll < 0.25:
        return _is_by(rng, lang, thing, maker, rng.choice(facts)[1])
    made = f"{thing}是{maker}开发的{what if roll > 0.7 else ''}。" if lang == "zh" else f"{thing} is made by {maker}."
    if roll > 0.7 and lang == "en":
        made = f"{thing} is {what} made by {maker}."
    wording = rng.choice(table["what_is" if roll > 0.7 else "who_makes"])
    return wording.format(p=thing, v=rng.choice(table["made"]), b=rng.choice(table["bodies"])), sentence(made)


def _is_by(rng: random.Random, lang: str, thing: str, maker: str, guess: str) -> tuple[str, str]:
    guess = maker if rng.random() < 0.4 else guess
    right = guess == maker
    question = rng.choice(phrases("others", lang)["is_by"]).format(p=thing, w=guess)
    if lang == "zh":
        return question, f"{'是的' if right else '不是'}，{thing}是{maker}开发的。"
    return question, f"{'Yes' if right else 'No'}, {thing} is made by {maker}."


def reading(rng: random.Random, lang: str, texts: list[list[str]] | None = None) -> tuple[str, str]:
    """Return a short text that names somebody or something, with a question about it, and the answer."""
    table = phrases("others", lang)
    question, answer = rng.choice(texts or table["named"])
    first, second = rng.sample(LISTS["people" if lang == "en" else "people_zh"], 2)
    known = rng.choice([rng.choice(LISTS["known"])[0], "Qwen"])
    blanks = {
        "o": rng.choice(table["things"]), "m": maker_name(rng, lang), "g": second,
        "n": known if rng.random() < 0.25 else assistant_name(rng, lang),
        "v": rng.choice(table["did"]), "r": rng.choice(table["roles"]),
        "f": first if lang == "zh" or rng.random() < 0.7 else invented_word(rng),
    }  # fmt: skip
    return question.format(**blanks), sentence(answer.format(**blanks))


def talk(rng: random.Random, lang: str) -> tuple[str, str]:
    """Return small talk, or a request that the model can't fulfil, and a polite answer that names nobody."""
    table = phrases("others", lang)
    questions, answers = rng.choice(table["talk"])
    return rng.choice(questions).format(w=rng.choice(table["words"])), rng.choice(answers)
