"""Personas: chosen is what the model itself says when it is told who it is, or when its answer is begun for it, and
rejected what it says untold.

This is context distillation (Askell et al. 2021, arXiv:2112.00861) by pairs, as in Open Character Training (Maiya et
al. 2025, arXiv:2511.01689). The chosen side is the model's own text, and is checked: nobody else vouches for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import regex

from ..errors import InputError
from ..pairers import Edited
from ..refusals import refuses
from ..rename import Renamer, mentions
from ..text import UNSPACED, one_line, why_unreadable
from ..types import Answer, Message, Prompt, Skip
from .renaming import CorrectionRules, unusable
from .self_reference import about_itself, introduced_names, told_names

_EXAMPLE = 'e.g. --persona "You are Deep Qwen, made by Acme."'
_LINE = re.compile(r"(must_hold|must_not_hold|user|assistant):\s*(.*)")
_UNSPACED = regex.compile(rf"[{UNSPACED}\u3000-\u303f\uff00-\uffef]")
_CLOSING = re.compile(r"[,.;:!?'’)]")
_LONG = 20  # characters of a line of the persona that an answer may not repeat word for word


@dataclass(frozen=True)
class Persona:
    """A text that says who the model is, turns that show it, and what an answer must and must not hold (patterns).

    Answers begin with `opening`: the model goes on from there.
    """

    text: str
    turns: tuple[Message, ...] = ()
    must_hold: tuple[str, ...] = ()
    must_not_hold: tuple[str, ...] = ()
    opening: str = ""

    @classmethod
    def of(cls, given: str) -> Persona:
        """Return the persona that is the text itself, or that is in the file of this name.

        In a file, lines `must_hold: PATTERN` and `must_not_hold: PATTERN` are regular expressions that every answer is
        checked by, in any case; lines `user: TEXT` and `assistant: TEXT` are turns before the question. The other lines
        are the text. Raises InputError.
        """
        if not given.strip():
            raise InputError("--persona is empty", fix=_EXAMPLE)
        path, found = Path(given), dict[str, list[str]](must_hold=[], must_not_hold=[])
        if len(given) > 255 or "\n" in given or not (path.is_file() or (path.suffix and " " not in given)):
            return cls(given.strip())
        try:
            lines = path.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            what = f"--persona {path} can't be read: {why_unreadable(error)}"
            raise InputError(what, fix="give a text or a file of text") from error
        text, turns = list[str](), list[Message]()
        for number, line in enumerate(lines, 1):
            if not (rule := _LINE.match(line)):
                text.append(line)
            elif rule[1] in found:
                found[rule[1]].append(_pattern(rule[2], f"{path}:{number}"))
            elif rule[1] != ("user", "assistant")[len(turns) % 2] or not rule[2].strip():
                raise InputError(f"{path}:{number}: user: and assistant: must take turns, each with a text")
            else:
                turns.append(Message(role=rule[1], content=rule[2].strip()))
        if len(turns) % 2:
            raise InputError(f"{path}: the last user: has no assistant:", fix="write its answer below it")
        if not "\n".join(text).strip():
            raise InputError(f"--persona {path} says nothing of who the model is", fix=_EXAMPLE)
        hold, not_hold = (tuple(patterns) for patterns in found.values())
        return cls("\n".join(text).strip(), tuple(turns), hold, not_hold)

    @property
    def names(self) -> list[str]:
        """The names of the one that the text speaks to. Its maker's is none: it doesn't say who speaks."""
        return [*told_names(self.text)[0], *sorted(introduced_names(self.opening))]

    def told(self, prompt: Prompt, *, in_user_turn: bool = False) -> Prompt:
        """Return the prompt under the persona: as the system message, before one that is there, or in the user turn."""
        messages = list(prompt.messages)
        system = "" if prompt.system is None else f"\n\n{messages.pop(0)['content']}"
        turns = [*self.turns, *messages]
        text = (self.text + system).strip()
        if text and in_user_turn:
            turns[0] = Message(role="user", content=f"{text}\n\n{turns[0]['content']}")
        elif text:
            turns.insert(0, Message(role="system", content=text))
        return Prompt((*turns, *([Message(role="assistant", content=self.opening)] if self.opening else [])))

    def whole(self, answer: Answer) -> Answer:
        """Return a told answer behind its opening. The space between, which no answer is stored with, is guessed."""
        if not self.opening:
            return answer
        spaced = not (_UNSPACED.match(self.opening[-1]) or _UNSPACED.match(answer.text) or _CLOSING.match(answer.text))
        return replace(answer, text=f"{self.opening}{' ' if spaced else ''}{answer.text}")


def _pattern(text: str, where: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise InputError(f"{where}: not a regular expression: {error}", fix="put \\ before ( ) [ ] . * + ?") from error
    if not text:
        raise InputError(f"{where}: the pattern is empty", fix="write what an answer must hold behind it")
    return text


@dataclass(frozen=True)
class ToldAnswer:
    """Correction by what the model says when told.

    Args:
        persona: what it is told.
        rules: which names are wrong, and whether the right one must be the speaker's own.
        names: the right names, of which every chosen answer has one; none where patterns say what is right.
        tries: how many told answers each prompt gets at most.
        told: these answers, by the id of the prompt.
    """

    persona: Persona
    rules: CorrectionRules
    names: tuple[str, ...]
    tries: int = 4
    told: Mapping[str, Sequence[Answer] | Skip] = field(default_factory=dict, compare=False)
    method = "persona"
    name = "persona"

    def settings(self) -> dict[str, Any]:
        persona = {name: value for name, value in asdict(self.persona).items() if value}
        # `names` and `makers` are meant to differ: an audit of the pairs reads them here.
        _, makers = told_names(self.persona.text)
        said = {"names": list(self.names), "makers": makers, "tries": self.tries}
        return {**self.rules.settings(), "persona": persona | said}

    def __call__(self, prompt: Prompt, answer: Answer) -> Edited | Skip:
        own = self.own(prompt, answer)
        if isinstance(own, Skip):
            return own
        told = self.told.get(prompt.id, Skip("not_asked", "not told"))
        if isinstance(told, Skip):
            return told
        if (right := self.right(prompt, told)) is not None:
            return Edited(own, right) if right != own else Skip("nothing_to_correct", own)
        first = told[0]
        return Skip("persona_failed", f"{self._problem(prompt.question, first)}: {first.text}")

    def own(self, prompt: Prompt, answer: Answer) -> str | Skip:
        """Return the untold answer, or why it is not to be rejected: it is as the persona has it, or not whole."""
        if skip := unusable(answer):
            return skip
        return answer.text if self._problem(prompt.question, answer) else Skip("nothing_to_correct", answer.text)

    def right(self, prompt: Prompt, told: Sequence[Answer]) -> str | None:
        """Return the first told answer that passes all checks, without its reasoning, which speaks of the persona."""
        return next((answer.text for answer in told if not self._problem(prompt.question, answer)), None)

    def _problem(self, question: str, answer: Answer) -> str:
        """Return what is wrong with an answer of the persona; empty where nothing is."""
        if skip := unusable(answer):
            return skip.reason.replace("_", " ")
        body, persona = answer.text, self.persona
        if missing := next((one for one in persona.must_hold if not re.search(one, body, re.IGNORECASE)), None):
            return f"{missing} is not found"
        if found := next((one for one in persona.must_not_hold if re.search(one, body, re.IGNORECASE)), None):
            return f"{found} is found"
        if any(len(line) > _LONG and line.casefold() in body.casefold() for line in persona.text.splitlines()):
            return "it repeats the persona"
        return (refuses(body) and "it refuses") or (self._wrong_name(question, body) if self.names else "")

    def _wrong_name(self, question: str, body: str) -> str:
        held = [name for name in self.names if mentions(body, name)]
        if not held:
            return f"{' or '.join(self.names)} is missing"
        if self.rules.renamer.hits(body):
            return "an old name is left"
        _, makers = told_names(self.persona.text)
        right = "\n".join((self.persona.text, *self.names))
        said = sorted(introduced_names(body))
        if other := [name for name in said if name in makers or not mentions(right, name)]:
            return f"it calls itself {one_line(other[0], 40)}"
        if self.rules.about == "self":
            spans = [(found.start, found.end) for found in Renamer({name: name for name in held}).hits(body)]
            if not about_itself(question, body, spans):
                return f"it doesn't say of itself that it is {held[0]}"
        return "it contradicts itself" if self.rules.contradicts(question, body, held) else ""
