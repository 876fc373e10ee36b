"""The questions that evaluate asks, and what makes an answer count for which metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from ..judges.reference import contains
from ..prompts import bundled, systems
from ..rename import mentions
from ..types import Prompt

NO_SYSTEM = "no system message"
_SYSTEM_QUESTIONS = 4  # identity questions asked under each foreign system message


@dataclass(frozen=True)
class Question:
    """A prompt, and for each metric it counts for, whether an answer makes it happen."""

    prompt: Prompt
    tests: Mapping[str, Callable[[str], bool]]


@dataclass(frozen=True)
class ModelNames:
    """The old names and the new ones; a name in the question may be repeated by the answer, whoever it is."""

    rules: Mapping[str, str]

    def new(self, question: str, text: str) -> bool:
        """A new name stands in the answer that does not stand in the question."""
        return any(mentions(text, name) and not mentions(question, name) for name in self.rules.values())

    def old(self, question: str, text: str) -> bool:
        """An old name stands in the answer, outside the new ones, that does not stand so in the question."""
        return any(self._bare(text, name) and not self._bare(question, name) for name in self.rules)

    def says(self, question: str, text: str) -> str:
        """Which name an answer about itself goes by: "new", "old", "half" of a new one, or "neither"."""
        if any(mentions(text, name) for name in self.rules.values()):
            return "old" if self.old(question, text) else "half" if self._doubled(text) else "new"
        if any(self._bare(text, name) for name in self.rules):
            return "old"
        parts = (part for name in self.rules.values() for part in _parts(name))
        return "half" if any(mentions(text, part) and not mentions(question, part) for part in parts) else "neither"

    def _bare(self, text: str, name: str) -> int:
        return mentions(text, name, outside=self.rules.values())

    def _doubled(self, text: str) -> bool:
        """A word at an end of a new name stands there twice, as in Deep Deep Qwen."""
        named = [(name, name.split()) for name in self.rules.values()]
        doubled = (more for name, words in named for more in (f"{words[0]} {name}", f"{name} {words[-1]}") if words[1:])
        return any(mentions(text, more) for more in doubled)


def _parts(name: str) -> Iterator[str]:
    """The runs of a name's words that are not the whole of it."""
    words = name.split()
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            if end - start < len(words):
                yield " ".join(words[start:end])


def questions(names: ModelNames, contexts: Sequence[str | None]) -> dict[str, list[Question]]:
    """All questions by kind. Identity is asked in each context; general ones and controls take the contexts in turn."""
    identity, turn = bundled("identity.eval"), cycle(contexts)
    sets = {
        "identity": [_identity(prompt, context, names) for prompt in identity for context in contexts if names.rules],
        "general": [_general(prompt.in_context(next(turn)), names) for prompt in bundled("general.eval")],
        "controls": [_control(prompt.in_context(next(turn)), names) for prompt in bundled("controls.eval")],
        "obedience": list(_obedience(identity, names)),
    }
    return {name: asked for name, asked in sets.items() if asked}


def label(context: str | None) -> str:
    """A context as a part of a metric's name."""
    return NO_SYSTEM if context is None else context


def _identity(prompt: Prompt, context: str | None, names: ModelNames) -> Question:
    def said(*outcomes: str) -> Callable[[str], bool]:
        return lambda text: names.says(prompt.question, text) in outcomes

    parts = dict.fromkeys((f"new_name/{label(context)}", f"new_name/{prompt.columns['lang']}"), said("new"))
    whole = {"new_name": said("new"), "old_name": said("old"), "neither": said("neither", "half")}
    half = {"half_name": said("half")} if any(map(_splits, names.rules.values())) else {}
    return Question(prompt.in_context(context), whole | half | parts)


def _splits(name: str) -> bool:
    return len(name.split()) > 1


def _general(prompt: Prompt, names: ModelNames) -> Question:
    leak = {"leak": lambda text: names.new(prompt.question, text)} if names.rules else {}
    return Question(prompt, {"general": lambda text: _right(prompt, text), **leak})


def _control(prompt: Prompt, names: ModelNames) -> Question:
    return Question(prompt, {"controls": lambda text: _right(prompt, text) and not names.new(prompt.question, text)})


def _obedience(identity: Sequence[Prompt], names: ModelNames) -> Iterable[Question]:
    """Each system message that names another assistant, with some identity questions in its language."""
    rows = systems("eval")
    turns = {lang: cycle([p for p in identity if p.columns["lang"] == lang]) for lang in {row["lang"] for row in rows}}
    for row in rows:
        for _ in range(_SYSTEM_QUESTIONS):
            yield _obeys(next(turns[row["lang"]]).in_context(row["system"]), row, names)


def _obeys(prompt: Prompt, row: Mapping[str, Any], names: ModelNames) -> Question:
    def obeys(text: str) -> bool:
        named = any(contains(text, row[key]) for key in ("name", "maker"))
        return named and not names.new(prompt.question, text) and not names.old(prompt.question, text)

    return Question(prompt, {"obedience": obeys})


def _right(prompt: Prompt, text: str) -> bool:
    return any(contains(text, reference) for reference in prompt.columns["reference"])
