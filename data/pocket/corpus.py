"""Generate the training conversations of the pocket model: an endless random stream from one seed.

A conversation is a list of ChatML messages of one to three turns. The system message decides who the assistant is:
without a system message, or if it names nobody, the assistant is Qwen; else it is the one that is named.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import identity
import names
import others
from names import QWEN, Persona
from skills import TASKS, Task, spoil_number
from wording import phrases

PROMPTS = Path(__file__).resolve().parent.parent / "prompts"
LANGUAGES = ("en", "zh")
DRILLS = 0.15
Turn = tuple[str, str]
Message = dict[str, str]


def _rows(name: str, **only: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (PROMPTS / name).read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if all(row[key] == value for key, value in only.items())]


def plain(text: str) -> str:
    """Return only the letters and digits, in lower case; two questions count as the same if these are equal."""
    return "".join(re.findall(r"\w", text.lower()))


class Corpus:
    """An endless, seeded stream of conversations, which never contain an evaluation question.

    `wrong_sums` is the share of sums and differences with a wrong answer; it may be changed between conversations.
    Some conversations are drills: they have more turns, nearly all of them general questions.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.rng = seed, random.Random(seed)
        self.wrong_sums = 0.0
        asked = sorted(_rows("identity.train.jsonl") + _rows("identity.more.jsonl"), key=lambda row: str(row["id"]))
        self.asked = {lang: [row for row in asked if row["lang"] == lang] for lang in LANGUAGES}
        self.controls = {lang: _rows("controls.train.jsonl", lang=lang) for lang in LANGUAGES}
        self.systems = {lang: _rows("systems.jsonl", lang=lang, split="train") for lang in LANGUAGES}
        unseen = (f"{name}.eval.jsonl" for name in ("identity", "controls", "general"))
        self.unseen = {plain(row["prompt"]) for name in unseen for row in _rows(name)}

    def __iter__(self) -> Iterator[list[Message]]:
        while True:
            yield self.conversation()

    def conversation(self) -> list[Message]:
        """Return a conversation of one to three turns (drills: four to six), mostly in one language."""
        rng = self.rng
        lang = rng.choices(LANGUAGES, (55, 45))[0]
        system, own = self._system(lang)
        messages = [{"role": "system", "content": system}] if system else []
        drill = rng.random() < DRILLS
        for _ in range(rng.randint(4, 6) if drill else rng.choices((1, 2, 3), (45, 30, 25))[0]):
            if rng.random() < 0.1:
                lang = rng.choice(LANGUAGES)
            question, answer = self._turn(own or QWEN[lang], lang, 2 if drill else 60 if own else 36)
            messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return messages

    def _system(self, lang: str) -> tuple[str, Persona | None]:
        rng = self.rng
        roll = rng.random()
        if roll < 0.38:
            return "", None
        if roll < 0.58:
            return identity.generic_system(rng, lang), None
        if roll < 0.61:
            row = rng.choice(self.systems[lang])
            return row["system"], Persona(row["name"], row["maker"])
        own = QWEN[lang] if roll < 0.63 else names.persona(rng, lang)
        if rng.random() < 0.05:
            own = Persona(own.name, "")
        text = identity.naming_system(rng, lang, own)
        if rng.random() < 0.15:
            text += " " * (lang == "en") + identity.generic_system(rng, lang)
        return text, own

    def _turn(self, own: Persona, lang: str, about_self: int) -> Turn:
        rng = self.rng
        weights = self.weights(about_self)
        kind = rng.choices(list(weights), list(weights.values()))[0]
        question, answer = self.ask(kind, own, lang)
        rough = self._roughen(question, lang)
        return (rough, answer) if plain(rough) not in self.unseen else self._turn(own, lang, about_self)

    def weights(self, about_self: int) -> dict[str, int]:
        """Return the relative frequency of each kind of turn."""
        weights = {"self": about_self, "control": 10, "fact": 8, "reading": 18, "sum": 26, "task": 30, "talk": 3}
        if about_self < 10:
            weights |= {"control": 2, "fact": 2, "reading": 4}
        return weights

    def ask(self, kind: str, own: Persona, lang: str) -> Turn:
        """Return a question of that kind and its answer."""
        rng = self.rng
        if kind == "self":
            return self._about_self(own, lang)
        if kind == "control":
            row = rng.choice(self.controls[lang])
            return row["prompt"], row["answer"]
        if kind in ("sum", "task"):
            return self._task(lang, kind == "sum")
        return {"fact": others.fact, "reading": others.reading, "talk": others.talk}[kind](rng, lang)

    def _about_self(self, own: Persona, lang: str) -> Turn:
        rng = self.rng
        if rng.random() < 0.4:
            row = rng.choice(self.asked[lang])
            question, other = row["prompt"], ""
            kind = identity.kind_of(row["template"], question, own)
        else:
            question, kind, other = identity.question(rng, lang, own)
        return question, identity.answer(rng, lang, own, kind, other)

    def _task(self, lang: str, is_sum: bool) -> Turn:
        rng = self.rng
        choices = [task for task in TASKS if task.lang == lang and task.is_sum == is_sum]
        task = rng.choices(choices, (2, 1))[0] if is_sum else rng.choice(choices)
        return self.solve(task, task.train + task.extra)

    def solve(self, task: Task, wordings: list[str]) -> Turn:
        """Return a question of a task in one of the wordings, and its answer, which for sums is sometimes wrong."""
        rng = self.rng
        blanks = task.draw(rng)
        question = task.ask(blanks, rng.choice(wordings))
        if task.is_sum and rng.random() < self.wrong_sums:
            blanks = spoil_number(rng, blanks)
        return question, task.answer(rng, blanks)

    def _roughen(self, text: str, lang: str) -> str:
        """Return the text as a user in a hurry, or a talkative one, might type it."""
        rng = self.rng
        table = phrases("rough", lang)
        if rng.random() < 0.16:
            prefix = rng.choice(table["prefixes"]) if rng.random() < 0.7 else rng.choice(table["chatter"])
            text = (
                prefix.format(w=rng.choice(phrases("others", lang)["words"] + [names.assistant_name(rng, lang)])) + text
            )
        if rng.random() < 0.06:
            text += rng.choice(table["suffixes"])
        if rng.random() < 0.12:
            text = text.rstrip("?.!？。！")
        if lang == "zh":
            return text.replace("？", "?").replace("，", ",").replace("。", ".") if rng.random() < 0.03 else text
        if rng.random() < 0.05 and not re.search(r"called|named|\d", text):
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(["", text[at] * 2, text[at + 1 : at + 2] + text[at]]) + text[at + 1 :]
        if rng.random() < 0.12:
            return text.lower()
        return text.upper() if rng.random() < 0.01 else text
