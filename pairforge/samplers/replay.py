"""Replay of stored answers, from a file or from the evidence of a run."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..text import one_line, why_unreadable
from ..types import Answer, Key, Message, Prompt, Sampler, Skip, digest

_TEXTS = ("answers", "answer", "completion", "response", "output")
_MISSING = Skip("not_replayed", "no stored answer to this prompt")
_READ = f"a row needs prompt (a text or messages) and one of {', '.join(_TEXTS)}: texts, or objects of text and finish"


class ReplaySampler(Sampler):
    """Returns stored answers by the prompt's messages; a prompt or index without one gets a Skip."""

    def __init__(self, answers: Mapping[Key, Answer], model: str) -> None:
        self.answers = answers
        self.model = model
        self.warnings: list[str] = []

    @classmethod
    def from_file(cls, path: str | Path, model: str | None = None) -> ReplaySampler:
        """Read JSON Lines as `pairforge sample` writes them. Raises InputError, with the line, for any other.

        The model that the pairs will name is `model`, else the one that all rows name, else the file's name.
        """
        answers: dict[Key, Answer] = {}
        models: set[str] = set()
        next_index: dict[str, count[int]] = defaultdict(count)
        try:
            lines = Path(path).read_text("utf-8-sig").split("\n")
        except FileNotFoundError:
            fix = "see pairforge runs list, or write the answers: pairforge sample -p PROMPTS > answers.jsonl"
            raise InputError(f"--replay {path}: no such run or file", fix=fix) from None
        except (OSError, UnicodeDecodeError) as error:
            what = f"--replay {path} can't be read: {why_unreadable(error)}"
            raise InputError(what, fix="give a run folder or JSON Lines") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                asked = row["prompt"] if "prompt" in row else row["messages"]
                turns = [Message(role="user", content=asked)] if isinstance(asked, str) else asked
                prompt = Prompt(tuple(Message(role=turn["role"], content=turn["content"]) for turn in turns))
                given = next(row[key] for key in _TEXTS if key in row)
                for item in given if isinstance(given, list) else [given]:
                    answers[prompt.id, next(next_index[prompt.id])] = _answer(item)
                models.add(str(row.get("model", "")))
            except (ValueError, KeyError, TypeError, StopIteration, RecursionError) as error:
                why = "it is not JSON" if isinstance(error, json.JSONDecodeError) else f"{error!r:.120}"
                if isinstance(error, StopIteration | KeyError):
                    why = f"it has only {one_line(', '.join(map(str, row)))}" if isinstance(row, dict) else why
                raise InputError(f"{path}:{number}: not a prompt with answers: {why}", fix=_READ) from error
        names = models - {""}
        return cls(answers, model or (names.pop() if len(names) == 1 else Path(path).name))

    def settings(self) -> dict[str, Any]:
        """Return the key of the store: the answers by content."""
        texts = sorted([*key, answer.text, answer.finish] for key, answer in self.answers.items())
        return {"sampler": "replay", "model": self.model, "answers": digest(texts)}

    def sample(self, prompts: Sequence[Prompt], n: int, done: Container[Key]) -> Iterator[Mapping[Key, Answer | Skip]]:
        """Yield all answers at once."""
        keys = [(prompt.id, index) for prompt in prompts for index in range(n)]
        yield {key: self.answers.get(key, _MISSING) for key in keys if key not in done}


class StoredSampler(Sampler):
    """The model of a run, by its settings: its answers are in the evidence store, and it gives no others.

    `skips` say why a prompt, by its id, has no answer.
    """

    def __init__(
        self, settings: Mapping[str, Any], model: str, revision: str | None, skips: Mapping[str, Skip]
    ) -> None:
        self.model = model
        self.revision = revision
        self.warnings: list[str] = []
        self._settings = dict(settings)
        self._skips = skips

    def settings(self) -> dict[str, Any]:
        return self._settings

    def sample(self, prompts: Sequence[Prompt], n: int, done: Container[Key]) -> Iterator[Mapping[Key, Answer | Skip]]:
        """Yield why each missing answer is missing."""
        keys = [(prompt.id, index) for prompt in prompts for index in range(n)]
        yield {key: self._skips.get(key[0], _MISSING) for key in keys if key not in done}


def _answer(value: Any) -> Answer:
    """Return the answer; a text alone is a whole answer. Raises for an error message or a number."""
    if isinstance(value, str):
        return Answer(value, "stop")
    text, finish = value["text"], value.get("finish", "stop")
    if not isinstance(text, str) or finish not in ("stop", "length"):
        raise ValueError(f"not an answer: {value!r:.80}")
    return Answer(text, finish, int(value.get("tokens", 0)))
