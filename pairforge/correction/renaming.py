"""Corrects an answer by rules, and says what of an answer may be corrected at all.

Left alone are names that aren't the model's own, what it thinks aloud, and what is no answer: blank, cut off, a loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import regex

from ..errors import InputError
from ..pairers import Edited
from ..refusals import refuses
from ..rename import Hit, Renamer, leftovers, mentions
from ..samplers.decoding import repeats
from ..types import Answer, Pair, Prompt, Skip
from .reasoning import ReasoningSplit, split
from .self_reference import about_itself
from .self_reference_patterns import NO, YES

About = Literal["self", "any"]
Thinking = Literal["keep", "strip", "edit"]
# Words, and characters of scripts that set none apart. Signs alone are no loop: a rule of dashes is drawn on purpose.
_WORDS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|[\p{L}\p{M}\p{N}]+")
_INSIDE = {"url": "in URLs", "email": "in e-mails", "path": "in paths", "code": "in code"}


@dataclass(frozen=True)
class CorrectionRules:
    """What of an answer is corrected, and whether it may be. Without rules nothing tells, and everything may.

    `about` "self" leaves out answers whose names are others', `thinking` says what becomes of what is thought aloud: it
    stands in both sides as it is ("keep"), in neither ("strip"), or is corrected like the rest ("edit").

    Raises InputError for another word.
    """

    renamer: Renamer
    about: About = "self"
    thinking: Thinking = "keep"

    def __post_init__(self) -> None:
        for option, given, known in (("about", self.about, About), ("thinking", self.thinking, Thinking)):
            if given not in get_args(known):
                raise InputError(f"--{option} {given!r} is unknown", fix=f"use {', '.join(get_args(known))}")

    def settings(self) -> dict[str, Any]:
        """The rules, and each option that is not the default."""
        plain = [(self.renamer, item) for item in fields(self.renamer)] + [(self, item) for item in fields(self)]
        given = {item.name: getattr(owner, item.name) for owner, item in plain if item.name not in ("rules", "renamer")}
        defaults = {item.name: item.default for _, item in plain}
        chosen = {name: value for name, value in given.items() if value != defaults[name]}
        chosen |= {"inside": sorted(self.renamer.inside)} if "inside" in chosen else {}
        return {**({"rules": dict(self.renamer.rules)} if self.renamer.rules else {}), **chosen}

    def read(self, prompt: Prompt, answer: Answer) -> tuple[ReasoningSplit, list[Hit]] | Skip:
        """The answer apart from its thought, with the names to correct; without rules there are none."""
        text = answer.text
        if repeats(_WORDS.findall(text)):
            return Skip("repeated", text)
        parts = split(text)
        if answer.finish != "stop" or parts is None:
            return Skip("cut_off", text)
        if not parts.body.strip():
            return Skip("empty", text)
        found = self.renamer.hits(parts.body)
        if not found and refuses(parts.body):
            return Skip("refused", text)
        if self.renamer.rules and (wrong := self._unfit(prompt.question, parts.body, found)):
            return Skip(wrong, text)
        return parts, found

    def _unfit(self, question: str, body: str, found: list[Hit]) -> str | None:
        """Why the names found are not to be corrected."""
        asked = [hit for hit, stays in self.renamer.find(question) if stays != "new"]
        if not found:
            return "nothing_to_correct"
        if self.about == "any":
            return None
        if not about_itself(question, body, [hit[:2] for hit in found], [hit[:2] for hit in asked]):
            return "about_another"
        for target in {hit.target for hit in found}:
            old = [question[hit.start : hit.end] for hit in asked if hit.target == target]
            # "Are you Qwen?", "Yes, I am Athene."; "Are you Athene?", "No, I am Athene."
            yes = YES.search(body) and any(not mentions(target, name) for name in old)
            if yes or (NO.search(body) and mentions(question, target)):
                return "contradiction"
        return None

    def corrected(self, text: str) -> str:
        """What of a rejected side is corrected: all of it, or what is not thought."""
        parts = split(text)
        return text if parts is None or self.thinking == "edit" else parts.body

    def sides(self, parts: ReasoningSplit, body: str) -> Edited:
        """Rejected and chosen: the answer as it was, and with `body`, each with what becomes of its thought."""
        if self.thinking == "strip":
            return Edited(parts.body, body)
        thought = self.renamer.rename(parts.thought) if self.thinking == "edit" else parts.thought
        return Edited(parts.thought + parts.body, thought + body)


@dataclass(frozen=True)
class Renaming:
    """Replaces the names, and nothing else."""

    reading: CorrectionRules
    method = "correct"
    name = "rename"

    def settings(self) -> dict[str, Any]:
        return self.reading.settings()

    def __call__(self, prompt: Prompt, answer: Answer) -> Edited | Skip:
        read = self.reading.read(prompt, answer)
        if isinstance(read, Skip):
            return read
        parts, _ = read
        edited = self.reading.sides(parts, self.reading.renamer.rename(parts.body))
        return edited if edited.chosen != edited.rejected else Skip("nothing_to_correct", answer.text)


def tally(reading: CorrectionRules, pairs: Iterable[Pair], skips: Iterable[Skip]) -> dict[str, Any]:
    """`rules`: how many names each rule found; `leftovers`: old names that stayed, by form or by what they stand in;
    `thinking`: how many pairs hold a thought. The most first; what came to nothing is left out.

    The names of an answer that was skipped because they are others' stay on purpose, and aren't counted.
    """
    found, stayed, thoughts = Counter[str](), Counter[str](), 0
    for pair in pairs:
        text = pair.rejected[-1]["content"]
        rejected = reading.corrected(text)
        thoughts += bool((parts := split(text)) and parts.thought)
        found.update(hit.source for hit in reading.renamer.hits(rejected))
        stayed += _stayed(reading.renamer, rejected)
    for skip in skips:
        if skip.reason == "nothing_to_correct":
            stayed += _stayed(reading.renamer, reading.corrected(skip.detail))
    ordered = {"rules": dict(found.most_common()), "leftovers": dict(stayed.most_common()), "thinking": thoughts}
    return {name: counts for name, counts in ordered.items() if counts}


def _stayed(renamer: Renamer, text: str) -> Counter[str]:
    """What is left as it is in a text before its names are replaced."""
    options: Any = {item.name: getattr(renamer, item.name) for item in fields(renamer) if item.name != "rules"}
    counted = Counter[str]()
    for left, count in leftovers(text, renamer.rules, **options).items():
        counted[_INSIDE.get(left.reason, left.form)] += count
    return counted
