"""Correct an answer by rules, or say why it is left alone.

Not corrected are names that are not the model's own, and answers that are blank, cut off or a loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, get_args

from ..errors import InputError
from ..options.correction import About, Thinking
from ..pairers import Edited, cut_off
from ..refusals import refuses
from ..rename import Renamer, leftovers_of, mentions
from ..repetition import repeats
from ..types import Answer, Pair, Prompt, Skip
from .self_reference import about_itself, pattern

_INSIDE = {"url": "in URLs", "email": "in e-mails", "path": "in paths", "code": "in code"}

_SPELLINGS = ("case", "width", "look-alike", "zero-width")
"""How a leftover may differ from an old name that it is all the same."""


def unusable(answer: Answer) -> Skip | None:
    """Return why an answer can't be trained on: it is a loop, cut off, or blank."""
    if repeats(answer.text):
        return Skip("repeated", answer.text)
    if answer.finish != "stop":
        return cut_off(answer)
    return None if answer.text.strip() else Skip("empty", answer.thought or answer.text)


@dataclass(frozen=True)
class CorrectionRules:
    """Rules of what in an answer is corrected, and of which answers may be. Without names any answer may be.

    Raises InputError for an unknown value.

    Args:
        renamer: the names to correct.
        about: "self" leaves out answers whose names are others', "any" corrects every name.
        thinking: the thought is kept in both sides as it is ("keep"), in neither ("strip"), or corrected ("edit"); one
            that names what is corrected is never kept.
    """

    renamer: Renamer
    about: About = "self"
    thinking: Thinking = "keep"

    def __post_init__(self) -> None:
        for option, given, known in (("about", self.about, About), ("thinking", self.thinking, Thinking)):
            if given not in get_args(known):
                raise InputError(f"--{option} {given!r} is unknown", fix=f"use {', '.join(get_args(known))}")

    def settings(self) -> dict[str, Any]:
        """Return the names, and each option that is not the default."""
        chosen = {
            item.name: getattr(owner, item.name)
            for owner in (self.renamer, self)
            for item in fields(owner)
            if item.name not in ("rules", "renamer") and getattr(owner, item.name) != item.default
        }
        if "inside" in chosen:
            chosen["inside"] = sorted(self.renamer.inside)
        return {**({"rules": dict(self.renamer.rules)} if self.renamer.rules else {}), **chosen}

    def skip(self, prompt: Prompt, answer: Answer) -> Skip | None:
        """Return why an answer is not to be corrected."""
        if skip := unusable(answer):
            return skip
        text, question, found = answer.text, prompt.question, self.renamer.hits(answer.text)
        if not found and refuses(text):
            return Skip("refused", text)
        if self.renamer.rules and not found:
            return Skip("nothing_to_correct", text)
        if not found or self.about == "any":
            return None
        asked = [name[:2] for name, kept in self.renamer.find(question) if kept != "new"]
        if not about_itself(question, text, [name[:2] for name in found], asked):
            return Skip("about_another", text)
        contradicts = self.contradicts(question, text, {name.target for name in found})
        return Skip("contradiction", text) if contradicts else None

    def contradicts(self, question: str, body: str, targets: Iterable[str]) -> bool:
        """Return True if an answer with these new names would say yes to an old one, or no to a new one."""
        asked = [name for name, kept in self.renamer.find(question) if kept != "new"]
        for target in targets:
            old = [question[name.start : name.end] for name in asked if name.target == target]
            # "Are you Qwen?", "Yes, I am Athene."; "Are you Athene?", "No, I am Athene."
            yes = pattern("yes").search(body) and any(not mentions(target, name) for name in old)
            if yes or (pattern("no").search(body) and mentions(question, target)):
                return True
        return False

    def sides(self, answer: Answer, chosen: str) -> Edited:
        """Return rejected and chosen: the answer as it was, and with another text, each with its thought."""
        corrected = self.renamer.rename(answer.thought) if self.thinking == "edit" else answer.thought
        return Edited(answer.text, chosen, (corrected, answer.thought))

    def keeps(self, thought: str) -> bool:
        """Return whether a thought may be trained on: one that holds an old name, in any spelling, would teach that."""
        if self.thinking == "strip" or any(left.reason in _SPELLINGS for left in leftovers_of(self.renamer, thought)):
            return False
        return self.thinking == "edit" or not self.renamer.hits(thought)


@dataclass(frozen=True)
class Renaming:
    """Correction that replaces the names, and nothing else."""

    rules: CorrectionRules
    method = "correct"
    name = "rename"

    def settings(self) -> dict[str, Any]:
        return self.rules.settings()

    def __call__(self, prompt: Prompt, answer: Answer) -> Edited | Skip:
        if skip := self.rules.skip(prompt, answer):
            return skip
        edited = self.rules.sides(answer, self.rules.renamer.rename(answer.text))
        return edited if edited.chosen != edited.rejected else Skip("nothing_to_correct", answer.text)


class NameCounts:
    """Counts what was replaced and what was not, pair by pair.

    The names of an answer that was skipped because they are others' are kept on purpose, and not counted.
    """

    def __init__(self, rules: CorrectionRules) -> None:
        self.renamer = rules.renamer
        self.found, self.kept, self.kept_in_skips = Counter[str](), Counter[str](), Counter[str]()

    def add(self, item: Pair | Skip) -> None:
        """Count the names in the rejected answer, or in one that had nothing to correct."""
        if isinstance(item, Pair):
            rejected = item.rejected[-1]["content"]
            for name in self.renamer.hits(rejected):
                self.found[name.source] += 1
            self._count(rejected, self.kept)
        elif item.reason == "nothing_to_correct":
            self._count(item.detail, self.kept_in_skips)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the counts, the most first, without those of zero.

        `rules` are the names that each rule found; `leftovers` old names that were kept, by their form or by what they
        are part of.
        """
        kept = self.kept + self.kept_in_skips
        counts = {"rules": dict(self.found.most_common()), "leftovers": dict(kept.most_common())}
        return {name: value for name, value in counts.items() if value}

    def _count(self, text: str, kept: Counter[str]) -> None:
        """Count the old names that are kept in a text, by their form or by what they are part of."""
        for left, count in leftovers_of(self.renamer, text).items():
            kept[_INSIDE.get(left.reason, left.form)] += count
