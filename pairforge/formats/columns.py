"""Columns by other names: which column holds the prompt, which the sides, as it is known or as a user says it.

A row is looked at under the names of `PARTS`: `chosen`, `rejected`, `prompt`, `system` and so on. `Names` says from
which columns they are taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from ..text import did_you_mean, one_line
from ..types import SIDES, Row

PARTS = (
    "prompt", "chosen", "rejected", "system", "messages", "history", "input", "tools", "images", "completion", "label",
    "chosen_score", "rejected_score", "answers", "scores", "ranks", "answer_a", "answer_b", "winner",
)  # fmt: skip
"""What `--columns` can name."""
QUESTIONS = ("prompt", "question", "query", "instruction")
SYSTEMS = ("system", "system_prompt", "system_message")

_SIDE_WORDS = (
    ("chosen", "rejected"), ("chosen", "reject"), ("choose", "reject"), ("accept", "reject"), ("accepted", "rejected"),
    ("selected", "rejected"), ("preferred", "dispreferred"), ("preferred", "rejected"), ("preferred", "non_preferred"),
    ("preferred", "not_preferred"), ("preferred", "unpreferred"), ("win", "lose"), ("win", "loss"),
    ("winner", "loser"), ("winning", "losing"), ("better", "worse"), ("best", "worst"), ("positive", "negative"),
    ("pos", "neg"), ("good", "bad"), ("desired", "undesired"), ("desirable", "undesirable"), ("correct", "incorrect"),
    ("correct", "wrong"), ("right", "wrong"), ("safe", "unsafe"), ("helpful", "unhelpful"),
    ("more_helpful", "less_helpful"), ("w", "l"), ("yw", "yl"), ("j", "k"), ("compliant", "non_compliant"),
    ("ideal", "non_ideal"), ("upvoted", "downvoted"),
)  # fmt: skip
_NOUNS = (
    "response", "answer", "output", "completion", "text", "content", "conversation", "conversations", "generation",
    "model_output", "model_response", "code", "solution", "reply", "summary", "resp", "list", "gpt", "y", "sample",
)  # fmt: skip
_PLURALS = ("responses", "answers", "outputs", "completions", "generations")


def _side_names() -> dict[tuple[str, str], None]:
    """Return the names of a better and a worse answer, beside `chosen` and `rejected`: a word, alone or with a noun."""
    names = dict.fromkeys(pair for pair in _SIDE_WORDS if len(pair[0]) > 1)
    for good, bad in _SIDE_WORDS:
        for noun in (*_NOUNS, *_PLURALS * (good in ("chosen", "accepted", "preferred"))):
            names |= dict.fromkeys([(f"{good}_{noun}", f"{bad}_{noun}"), (f"{noun}_{good}", f"{noun}_{bad}")])
    for noun in (*_NOUNS[:4], *_PLURALS):  # only the worse answer is called so
        names |= dict.fromkeys([("chosen", f"rejected_{noun}"), *[(noun, f"rejected_{noun}")] * (noun != "response")])
    names |= dict.fromkeys((noun, bad) for noun in _NOUNS[:4] for bad in ("rejected", "rejected_answer"))
    return names | {("positive_messages", "negative_messages"): None, ("w", "l"): None}


_PAIRS = _side_names()
ANSWERS = frozenset(name for pair in _PAIRS for name in pair)
"""Names of a better and a worse answer, beside `chosen` and `rejected`."""
_OTHERS = {
    "prompt": (
        "user_prompt", "user_input", "user_query", "user_question", "user_message", "user", "human", "problem",
        "request", "prompts", "prompt_text", "input_text", "input_prompt", "original_prompt", "orig_instruction",
        "question_text", "question_body", "instructions", "inputs", "post", "ask", "task", "x",
    ),
    "system": ("system_instruction", "sys_prompt", "system_text", "orig_system", "custom_system_prompt"),
    "messages": (
        "conversation", "dialogue", "dialog", "chat", "turns", "context_messages", "prompt_messages", "contents",
        "trajectory",
    ),
}  # fmt: skip
"""Other names of the question, the system message and the conversation before, where no usual one is there."""
_USUAL = {
    "prompt": (*QUESTIONS, "messages", "conversations", "context", "input"),
    "system": SYSTEMS,
    "messages": ("messages", "conversations", "context", *QUESTIONS),
}
_WORDS = {
    "chosen": r"chos|prefer|accept|win|bett?er|best|good|right|corr|pos|gut|bon|buen|mejor|richtig|up|好|优|正",
    "rejected": r"rej|los[es]|wors|bad|wrong|neg|dis|non|not_|incorr|schlecht|falsch|mauvais|mal|peor|down|坏|差|负",
    "prompt": r"prompt|quest|query|instr|frage|pregunta|input|ask|user|problem|aufgabe|问|題|题|指令",
    "system": r"sys",
}
"""Words in the names of columns by which their part is guessed."""


def plain(name: object) -> str:
    """Return a column name in small letters, with `_` for a space, a hyphen or a dot, and before a capital."""
    return re.sub(r"[\s.-]+|(?<=[a-z])(?=[A-Z])", "_", str(name).strip()).lower()


def at(row: Row, path: str) -> Any:
    """Return what a row holds under a name, or under a path of names such as `input.messages`; None for nothing."""
    if path in row:
        return row[path]
    value: Any = row
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.lstrip("-").isdigit() and -len(value) <= int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


@dataclass(frozen=True)
class Names:
    """From which column each part of a pair is taken; `lifted` are objects whose keys are taken for columns."""

    parts: Mapping[str, str] = field(default_factory=dict)
    lifted: Sequence[str] = ()

    def view(self, row: Row) -> Row:
        """Return the row under the names of `PARTS`."""
        if self.lifted:
            inner = {key: row[key] for key in self.lifted if isinstance(row.get(key), Mapping)}
            lifted = {name: value for one in inner.values() for name, value in one.items() if name not in row}
            row = lifted | {name: value for name, value in row.items() if name not in inner}
        if not self.parts:
            return row
        used = {path if path in row else path.split(".")[0] for path in self.parts.values()}
        rest = {name: value for name, value in row.items() if name not in used}
        return {part: at(row, path) for part, path in self.parts.items()} | {
            name: value for name, value in rest.items() if name not in self.parts
        }

    def name(self, part: str) -> str:
        """Return how the column of a part is called in the file."""
        return self.parts.get(part, part)


def by_hand(given: Any) -> Names:
    """Return what `--columns` says: a mapping, or texts of the form PART=COLUMN. Raises InputError for others."""
    pairs = given if isinstance(given, Mapping) else dict(_part_and_column(one) for one in _texts(given))
    for part in pairs:
        if part not in PARTS:
            hint = did_you_mean(str(part), PARTS) or f"use one of {', '.join(PARTS[:6])} ... (docs/formats.md)"
            raise InputError(f"--columns {one_line(part, 40)}: not a part of a pair", fix=hint)
    return Names(dict(pairs))


def _texts(given: Any) -> Iterable[str]:
    """Return the texts, apart: one may hold several, with spaces between."""
    texts = [given] if isinstance(given, str) else [*map(str, given)]
    apart = [text.split() if all("=" in part for part in text.split()) else [text] for text in texts]
    return [part for parts in apart for part in parts]


def _part_and_column(text: str) -> tuple[str, str]:
    part, sign, column = text.partition("=")
    if not sign or not column:
        raise InputError(f"--columns {one_line(text, 40)}: not of the form PART=COLUMN", fix="e.g. --columns prompt=q")
    return part, column


def known_names(rows: Sequence[Row]) -> Names:
    """Return which columns of these rows have well-known other names."""
    found: dict[str, str] = {}
    spelled = {plain(key): str(key) for row in reversed(rows) for key in reversed(list(row))}
    has = spelled.keys()
    if not {*SIDES} <= has:
        for better, worse in _PAIRS:
            values = [row[spelled[better]] for row in rows if spelled[better] in row] if better in has else []
            # A column such as `winner` may hold which answer is better, not the answer.
            if worse in has and any(isinstance(value, (str, list, Mapping)) for value in values):
                found = {"chosen": spelled[better], "rejected": spelled[worse]}
                break
    if "rejected" not in has and "rejected" not in found and "chosen" in has and "reject" in has:
        found = {"chosen": spelled["chosen"], "rejected": spelled["reject"]}
    if "messages" in has and "rejected_response" in has and "chosen_response" not in has:
        found = {}  # ms-swift
    taken = {*found.values()}
    for part in (*SIDES, "prompt", "question", "instruction", "system", "messages", "conversations"):
        if part not in found and part in has and spelled[part] != part and spelled[part] not in taken:
            found[part] = spelled[part]  # of other case
    for better in ("orig_response_a", "original_response_a"):  # beside a prompt that asks a judge
        if better in has and (asked := better.replace("response_a", "instruction")) in has:
            found |= {
                "prompt": spelled[asked],
                **({"judge_prompt": spelled["instruction"]} if "instruction" in has else {}),
            }
    for part, others in _OTHERS.items():
        if part not in found and not any(usual in has for usual in _USUAL[part]):
            other = next((spelled[name] for name in others if name in has and spelled[name] not in taken), None)
            if other and (part != "messages" or any(isinstance(row.get(other), (list, str)) for row in rows)):
                found[part] = other
    return Names(found)


def nested(rows: Sequence[Row]) -> list[str]:
    """Return the columns that hold objects, whose keys may be the columns of a pair."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return [key for key in keys if any(isinstance(row.get(key), Mapping) for row in rows) and isinstance(key, str)]


def guessed(rows: Sequence[Row]) -> dict[str, str]:
    """Return the columns that may hold the prompt, chosen and rejected, by their names, else by their order."""
    keys = dict.fromkeys(str(key) for row in rows for key in row)
    texts = [key for key in keys if any(isinstance(row.get(key), (str, list)) for row in rows)]
    found: dict[str, str] = {}
    for part in ("rejected", "chosen", "prompt"):  # what is not good may hold the word "good"
        name = next((key for key in texts if key not in found.values() and re.search(_WORDS[part], plain(key))), None)
        if name:
            found[part] = name
    left = [key for key in texts if key not in found.values()]
    open_parts = [part for part in ("prompt", *SIDES) if part not in found]
    if len(left) == len(open_parts) or (open_parts == ["prompt"] and left):
        found |= dict(zip(open_parts, left, strict=False))
    return {part: found[part] for part in ("prompt", *SIDES) if part in found}


def advice(rows: Sequence[Row]) -> str:
    """Return the `--columns` option for rows of unknown columns, with the names as far as they can be guessed."""
    found = guessed(rows)
    parts = [f"{part}={found.get(part, 'COLUMN')}" for part in ("prompt", *SIDES)]
    quoted = [f"'{part}'" if re.search(r"[^\w=.-]", part) else part for part in parts]
    return "--columns " + " ".join(one_line(part, 60) for part in quoted)
