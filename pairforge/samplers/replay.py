"""Replay of stored answers, from a file or from the evidence of a run."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..readers import PlacedRow, Wanted, read
from ..text import one_line
from ..thoughts import answer_of, written
from ..types import Answer, Key, Message, Prompt, Sampler, Skip, digest_of_all

_TEXTS = ("answers", "answer", "completion", "response", "output")
MISSING = Skip("not_replayed", "no stored answer to this prompt")
_READ = f"a row needs prompt (a text or messages) and one of {', '.join(_TEXTS)}: texts, or objects of text and finish"
_WANTED = Wanted(
    "answers", "give a run, or a file as pairforge sample writes it", columns=("prompt", "messages", *_TEXTS)
)


class AnswersOnDisk(Mapping[Key, Answer]):
    """Answers in a temporary file, by prompt and by their order there; it lasts as long as this object."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", check_same_thread=False)  # a file without a name, made when it is needed
        self._db.execute("CREATE TABLE answers (prompt TEXT, text TEXT, finish TEXT, tokens INTEGER)")
        self._db.execute("CREATE TABLE prompts (messages TEXT)")
        self._last: tuple[str, list[Answer]] = "", []

    def add(self, prompt: Prompt, answers: Iterable[Answer]) -> None:
        """Add answers to a prompt behind those that it has."""
        rows = [(prompt.id, written(answer), answer.finish, answer.tokens) for answer in answers]
        self._db.executemany("INSERT INTO answers VALUES (?, ?, ?, ?)", rows)
        self._db.execute("INSERT INTO prompts VALUES (?)", [json.dumps(prompt.messages)])

    def finish(self) -> None:
        """Prepare for reading."""
        self._db.execute("CREATE INDEX by_prompt ON answers (prompt)")

    def prompts(self) -> dict[str, Prompt]:
        """Return all prompts, by id."""
        rows = self._db.execute("SELECT messages FROM prompts ORDER BY rowid")
        found = (Prompt(tuple(json.loads(text))) for (text,) in rows)
        return {prompt.id: prompt for prompt in found if prompt.messages}

    def __getitem__(self, key: Key) -> Answer:
        if self._last[0] != key[0]:
            query = "SELECT text, finish, tokens FROM answers WHERE prompt = ? ORDER BY rowid"
            self._last = key[0], [answer_of(*row) for row in self._db.execute(query, key[:1])]
        if 0 <= key[1] < len(self._last[1]):
            return self._last[1][key[1]]
        raise KeyError(key)

    def __iter__(self) -> Iterator[Key]:
        rows = self._db.execute("SELECT prompt, count(*) FROM answers GROUP BY prompt ORDER BY prompt")
        return ((name, index) for name, count in rows for index in range(count))

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM answers").fetchone()[0])


class ReplaySampler(Sampler):
    """Returns stored answers by the prompt's messages; a prompt or index without one gets a Skip."""

    def __init__(self, answers: Mapping[Key, Answer], model: str) -> None:
        self.answers = answers
        self.model = model
        self.warnings: list[str] = []
        self.skips: dict[str, Skip] = {}
        """Why a prompt has no answer, by its id."""
        self.scores: dict[tuple[str, str], float] = {}
        """What the file says of an answer, by the prompt's id and the text: its score, or its negative rank."""
        self._author = ""
        self._other_authors: dict[tuple[str, str], str] = {}

    @cached_property
    def prompts(self) -> dict[str, Prompt]:
        """The prompts that were asked, by id, as far as they are known."""
        return self.answers.prompts() if isinstance(self.answers, AnswersOnDisk) else {}

    @classmethod
    def from_file(cls, path: str | Path, model: str | None = None, option: str = "--replay") -> ReplaySampler:
        """Read rows as `pairforge sample` writes them, in any format of `readers`. Raises InputError, with the line.

        The model that the pairs will name is `model`, else the one that all rows name, else the file's name.
        """
        answers, skips, models = AnswersOnDisk(), dict[str, Skip](), set[str]()
        first_author, other_authors = None, dict[tuple[str, str], str]()
        marks: dict[str, dict[tuple[str, str], float]] = {"score": {}, "rank": {}}
        for where, row in _rows(path, option):
            try:
                prompt, given = answers_in_row(row)
                author = str(row.get("model") or "")
                first_author = author if first_author is None else first_author
                answers.add(prompt, given)
                for item, answer in zip(_items(row), given, strict=True):
                    if author != first_author:
                        other_authors[prompt.id, answer.text] = author
                    for name, found in marks.items():
                        mark: Any = item.get(name) if isinstance(item, dict) else None
                        if type(mark) in (int, float) and isfinite(mark):
                            found.setdefault((prompt.id, answer.text), float(mark))
                if isinstance(skip := row.get("skip"), dict):
                    skips[prompt.id] = Skip(str(skip.get("reason", "failed")), str(skip.get("detail", "")))
                models.add(author)
            except (ValueError, TypeError) as error:
                raise InputError(f"{where}: not a prompt with answers: {error}", fix=_READ) from error
        answers.finish()
        names = models - {""}
        made = cls(answers, model or (names.pop() if len(names) == 1 else Path(path).name))
        made.skips = skips
        made._author, made._other_authors = first_author or "", other_authors
        made.scores = marks["score"] or {key: -rank for key, rank in marks["rank"].items()}
        return made

    def joined(self, other: ReplaySampler) -> ReplaySampler:
        """Return a sampler with the answers of both: those of the other follow, where both have some to a prompt."""
        counted = Counter(name for name, _ in self.answers)
        later = {(name, counted[name] + index): answer for (name, index), answer in other.answers.items()}
        made = ReplaySampler({**self.answers, **later}, self.model)
        made.prompts, made.skips = self.prompts | other.prompts, other.skips | self.skips
        both = counted.keys() & {name for name, _ in other.answers}  # scores of two files can't be compared
        scores = self.scores | other.scores
        made.scores = {key: score for key, score in scores.items() if key[0] not in both}
        made._author = self._author
        theirs = {(name, answer.text): other._author for (name, _), answer in other.answers.items()}
        made._other_authors = theirs | other._other_authors | self._other_authors
        return made

    def authors(self) -> dict[tuple[str, str], str]:
        """Return the models that wrote the answers, by the prompt's id and the text; empty where it is one alone."""
        if not self._other_authors:
            return {}
        return {(name, answer.text): self._author for (name, _), answer in self.answers.items()} | self._other_authors

    def settings(self) -> dict[str, Any]:
        """Return the key of the store: the answers by content."""
        return {"sampler": "replay", "model": self.model, "answers": self._digest}

    @cached_property
    def _digest(self) -> str:
        keys = self.answers if isinstance(self.answers, AnswersOnDisk) else sorted(self.answers)
        given = ((key, self.answers[key]) for key in keys)
        return digest_of_all([*key, written(answer), answer.finish] for key, answer in given)

    def sample(
        self, prompts: Sequence[Prompt], n: int, done: Container[Key], first: int = 0
    ) -> Iterator[Mapping[Key, Answer | Skip]]:
        """Yield all answers at once."""
        keys = [(prompt.id, index) for prompt in prompts for index in range(first, n)]
        yield {key: self.answers.get(key, self.skips.get(key[0], MISSING)) for key in keys if key not in done}


class StoredSampler(ReplaySampler):
    """The model of a run, by its settings: its answers are in the evidence store, and it gives no others.

    `skips` say why a prompt, by its id, has no answer.
    """

    def __init__(
        self, settings: Mapping[str, Any], model: str, revision: str | None, skips: Mapping[str, Skip]
    ) -> None:
        super().__init__({}, model)
        self.revision, self.skips, self._settings = revision, dict(skips), dict(settings)

    def settings(self) -> dict[str, Any]:
        return self._settings


def _rows(path: str | Path, option: str) -> Iterator[PlacedRow]:
    try:
        for where, row in read(Path(path), _WANTED):
            if isinstance(row, Skip):  # its line can't be read
                raise InputError(row.detail, fix=_READ)
            yield where, row
    except InputError as error:
        if not Path(path).exists():
            fix = "see pairforge runs list, or write the answers: pairforge sample -p PROMPTS > answers.jsonl"
            raise InputError(f"{option} {path}: no such run or file", fix=fix) from None
        raise InputError(f"{option}: {error.message}", fix=error.fix) from error


def answers_in_row(row: Any) -> tuple[Prompt, list[Answer]]:
    """Return the prompt and the answers of a row. Raises ValueError for a row that is neither."""
    if not isinstance(row, Mapping):
        raise ValueError(f"it is no object: {row!r:.40}")
    key = next((key for key in ("prompt", "messages") if key in row), None)
    if key is None or not any(name in row for name in _TEXTS):
        raise ValueError(f"it has only {one_line(', '.join(map(str, row)))}")
    asked = [Message(role="user", content=row[key])] if isinstance(row[key], str) else row[key]
    if not isinstance(asked, list) or not all(map(_is_message, asked)):
        raise ValueError(f"its {key} is neither a text nor a list of messages of role and content")
    prompt = Prompt(tuple(Message(role=turn["role"], content=turn["content"]) for turn in asked))
    return prompt, [_answer(item) for item in _items(row)]


def _is_message(turn: Any) -> bool:
    return isinstance(turn, Mapping) and all(isinstance(turn.get(key), str) for key in ("role", "content"))


def _items(row: Mapping[str, Any]) -> list[Any]:
    key = next(key for key in _TEXTS if key in row)
    given = row[key]
    if key == "answers" and isinstance(given, str) and given.startswith("["):
        raise ValueError("its answers are a list that was written as a text, as tables of text have it")
    return given if isinstance(given, list) else [given]


def _answer(value: Any) -> Answer:
    """Return the answer; a text alone is a whole answer. Raises ValueError for an error message or a number."""
    if isinstance(value, str):
        return answer_of(value)
    given: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    text: Any = given.get("text")
    finish: Any = given.get("finish") or "stop"
    if not isinstance(text, str) or finish not in ("stop", "length"):
        raise ValueError(f"an answer is a text, or an object of text and finish, not {value!r:.60}")
    tokens, thought = int(given.get("tokens") or 0), given.get("thought")
    return Answer(text, finish, tokens, str(thought)) if thought else answer_of(text, finish, tokens)
