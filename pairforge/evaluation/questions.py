"""The questions that evaluate asks, and the tests that decide for which metrics an answer counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, cycle
from typing import Any

from ..judges.reference import contains
from ..prompts import LANGUAGES, bundled, systems
from ..rename import mentions
from ..types import Prompt
from . import changes

NO_SYSTEM = "no system message"
_SYSTEM_QUESTIONS = 4  # identity questions asked under each foreign system message


@dataclass(frozen=True)
class Question:
    """A prompt, and for each of its metrics the test of an answer, and in words what is expected of one."""

    prompt: Prompt
    tests: Mapping[str, Callable[[str], bool]]
    expected: Mapping[str, str]


@dataclass(frozen=True)
class ModelNames:
    """The old names and the new ones. An answer may repeat a name that is in the question, whoever has it."""

    rules: Mapping[str, str]

    def new(self, question: str, text: str) -> bool:
        """Return True if the answer has a new name that is not in the question."""
        return any(mentions(text, name) and not mentions(question, name) for name in self.rules.values())

    def old(self, question: str, text: str) -> bool:
        """Return True if the answer has an old name, outside of the new ones, that is not in the question."""
        return any(self._bare(text, name) and not self._bare(question, name) for name in self.rules)

    def says(self, question: str, text: str) -> str:
        """Return which name an answer about the model itself uses: "new", "old", "half" of a new one, or "neither"."""
        if any(mentions(text, name) for name in self.rules.values()):
            if self.old(question, text):
                return "old"
            return "half" if self._has_doubled_word(text) else "new"
        if any(self._bare(text, name) for name in self.rules):
            return "old"
        named = [name.split() for name in self.rules.values()]
        spans = ((words, range(*ends)) for words in named for ends in combinations(range(len(words) + 1), 2))
        parts = (" ".join(words[span.start : span.stop]) for words, span in spans if len(span) < len(words))
        return "half" if any(mentions(text, part) and not mentions(question, part) for part in parts) else "neither"

    def __str__(self) -> str:
        return ", ".join(f"{old} -> {new}" for old, new in self.rules.items())

    def _bare(self, text: str, name: str) -> int:
        return mentions(text, name, outside=self.rules.values())

    def _has_doubled_word(self, text: str) -> bool:
        """Return True if the first or last word of a new name is doubled, as in Deep Deep Qwen."""
        named = [(name, name.split()) for name in self.rules.values()]
        doubled = (more for name, words in named for more in (f"{words[0]} {name}", f"{name} {words[-1]}") if words[1:])
        return any(mentions(text, more) for more in doubled)


def questions(
    names: ModelNames, contexts: Sequence[str | None], languages: Collection[str] = tuple(LANGUAGES)
) -> dict[str, list[Question]]:
    """Return all questions in these languages by kind.

    Those about the model itself are asked in each context; all others but those with a system message of their own take
    the contexts in turn.
    """
    turn = cycle(contexts)

    def of(name: str) -> list[Prompt]:
        return [prompt for prompt in bundled(name) if prompt.columns["lang"] in languages]

    identity = of("identity.eval")
    sets = {
        "identity": [_identity(prompt, context, names) for prompt in identity for context in contexts if names.rules],
        "general": [_with_reference("general", prompt, next(turn), names) for prompt in of("general.eval")],
        "controls": [_with_reference("controls", prompt, next(turn), names) for prompt in of("controls.eval")],
        "obedience": list(_obedience(identity, names)),
        **{kind: [_other(kind, prompt, next(turn)) for prompt in of(f"{kind}.eval")] for kind in changes.KINDS},
    }
    return {kind: asked for kind, asked in sets.items() if asked}


def label(context: str | None) -> str:
    """Return a context as a part of a metric's name."""
    return NO_SYSTEM if context is None else context


def _identity(prompt: Prompt, context: str | None, names: ModelNames) -> Question:
    def says(*outcomes: str) -> Callable[[str], bool]:
        return lambda text: names.says(prompt.question, text) in outcomes

    tests = {"new_name": says("new"), "old_name": says("old"), "neither": says("neither", "half")}
    if any(len(name.split()) > 1 for name in names.rules.values()):
        tests["half_name"] = says("half")
    parts = dict.fromkeys((f"new_name/{label(context)}", f"new_name/{prompt.columns['lang']}"), says("new"))
    expected = f"{_either(names.rules.values())}, and not {_either(names.rules)}"
    return Question(prompt.in_context(context), tests | parts, dict.fromkeys(tests, expected))


def _with_reference(kind: str, prompt: Prompt, context: str | None, names: ModelNames) -> Question:
    """Make a general question or a control: one with reference answers."""

    def correct(text: str) -> bool:
        return any(contains(text, reference) for reference in prompt.columns["reference"])

    def leaks(text: str) -> bool:
        return names.new(prompt.question, text)

    right, unwanted = _either(prompt.columns["reference"]), _either(names.rules.values())
    asked = prompt.in_context(context)
    if kind == "controls":
        expected = f"{right}, and not {unwanted}" if unwanted else right
        return Question(asked, {kind: lambda text: correct(text) and not leaks(text)}, {kind: expected})
    if names.rules:
        return Question(asked, {kind: correct, "leak": leaks}, {kind: right, "leak": f"not {unwanted}"})
    return Question(asked, {kind: correct}, {kind: right})


def _other(kind: str, prompt: Prompt, context: str | None) -> Question:
    """Make a question that shows what else has changed."""
    tests = changes.tests(kind, prompt.columns["lang"])
    return Question(prompt.in_context(context), tests, changes.EXPECTED)


def _obedience(identity: Sequence[Prompt], names: ModelNames) -> Iterator[Question]:
    """Yield each system message that names another assistant, with some identity questions in its language."""
    asked = {prompt.columns["lang"] for prompt in identity}
    rows = [row for row in systems("eval") if row["lang"] in asked]
    turns = {lang: cycle([p for p in identity if p.columns["lang"] == lang]) for lang in asked}

    def obeys(row: Mapping[str, Any], question: str, text: str) -> bool:
        named = any(contains(text, row[key]) for key in ("name", "maker"))
        return named and not names.new(question, text) and not names.old(question, text)

    for row in rows:
        for _ in range(_SYSTEM_QUESTIONS):
            prompt = next(turns[row["lang"]])
            test = partial(obeys, row, prompt.question)
            expected = _either((row["name"], row["maker"]))
            yield Question(prompt.in_context(row["system"]), {"obedience": test}, {"obedience": expected})


def _either(names: Iterable[str]) -> str:
    return " or ".join(map(str, names))
