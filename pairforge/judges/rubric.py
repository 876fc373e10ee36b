"""Rubrics: what an LLM is told when it judges. Each is a text file that users can replace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import InputError
from ..resources import resource, sections
from ..text import did_you_mean, one_line, why_unreadable
from ..types import Message, Prompt, digest

NEEDED = ("system", "data", "criteria", "low", "high", "ask", "compare", "items", "item")
LETTERS = ("A", "B")


@dataclass(frozen=True)
class Rubric:
    """The parts of a rubric: `data` (with `{mark}`) comes before what is judged, `criteria` and `ask` or `compare`
    after it; `low` and `high` describe the ends of the scale, which `ask` names as `{first}` and `{last}`. `items` asks
    for a checklist, `item` about one `{item}` of it.
    """

    name: str
    parts: Mapping[str, str]

    @cached_property
    def id(self) -> str:
        """The digest of all its texts."""
        return digest(dict(self.parts))

    @classmethod
    def named(cls, name: str) -> Rubric:
        """Return a bundled rubric, or that of a file. Raises InputError where there is none or a section is missing."""
        folder = resource("data", "judges")
        bundled = {file.stem: file for file in sorted(folder.glob("*.txt"))}
        file = bundled.get(name, Path(name))
        try:
            found = sections(file.read_text("utf-8"))
        except FileNotFoundError:
            fix = did_you_mean(name, bundled) or f"give a file, or one of {', '.join(bundled)}"
            raise InputError(f"--rubric {one_line(name)}: no such rubric or file", fix=fix) from None
        except (OSError, UnicodeDecodeError) as error:
            what = f"--rubric {file} can't be read: {why_unreadable(error)}"
            raise InputError(what, fix=f"see {folder / 'helpfulness.txt'}") from error
        if missing := [part for part in NEEDED if not found.get(part)]:
            what = f"{file} has no section [{missing[0]}]"
            raise InputError(what, fix=f"a rubric has {', '.join(NEEDED)}: see {folder / 'helpfulness.txt'}")
        return cls(name if name in bundled else file.name, {part: "\n".join(found[part]) for part in NEEDED})

    def rating(self, prompt: Prompt, answer: str, descending: bool) -> Prompt:
        """Return the question for a number; in a descending scale the lowest number is the best."""
        ends = (self.parts["high"], self.parts["low"]) if descending else (self.parts["low"], self.parts["high"])
        ask = self.parts["ask"].replace("{first}", ends[0]).replace("{last}", ends[1])
        return self._question(prompt, {"answer": answer}, ask)

    def comparison(self, prompt: Prompt, first: str, second: str) -> Prompt:
        """Return the question which of two answers, A or B, is better."""
        return self._question(prompt, dict(zip(LETTERS, (first, second), strict=True)), self.parts["compare"])

    def checklist(self, prompt: Prompt) -> Prompt:
        """Return the question for a checklist, by which answers to a prompt can be judged."""
        return self._question(prompt, {}, self.parts["items"])

    def item(self, prompt: Prompt, answer: str, item: str) -> Prompt:
        """Return the question whether an answer fulfils one item of a checklist."""
        return self._question(prompt, {"answer": answer}, self.parts["item"].replace("{item}", item))

    def _question(self, prompt: Prompt, answers: Mapping[str, str], ask: str) -> Prompt:
        """Return the question: what is judged is JSON between marks that no answer can know, so that none ends it."""
        reference = prompt.columns.get("reference")
        given = {"conversation": list(prompt.messages), **answers} | ({"reference": reference} if reference else {})
        text = json.dumps(given, ensure_ascii=False)
        mark = f"=== {digest([self.id, text])} ==="
        parts = [self.parts["data"].replace("{mark}", mark), f"{mark}\n{text}\n{mark}", self.parts["criteria"], ask]
        return Prompt(
            (Message(role="system", content=self.parts["system"]), Message(role="user", content="\n\n".join(parts)))
        )
