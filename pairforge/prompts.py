"""Prompts from the shapes people have them in.

Read are: one prompt a line of text; and, as JSON Lines, one JSON array or .gz of either, objects with `prompt` (text or
messages), `messages`, `conversations` (ShareGPT: from/value) or `instruction` (alpaca: instruction, input, system).
Of a conversation the last user turn is the prompt.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import InputError
from .resources import resource
from .types import Message, Prompt, Skip

BUNDLED = ("identity.train", "identity.eval", "general.train", "general.eval", "controls.train", "controls.eval")
_USER, _SYSTEM = {"user", "human"}, {"system"}
_PLACEHOLDER = re.compile(r"\{\{\s*\w+\s*\}\}|<(?:NAME|AUTHOR)>")
_READ = "read are text lines, and JSON rows with prompt, messages, conversations or instruction"


def bundled(name: str) -> list[Prompt]:
    """The prompts of one of the `BUNDLED` sets; the other keys of each line stand in `columns`."""
    return [
        prompt for prompt in read_prompts(resource("data", "prompts", f"{name}.jsonl")) if isinstance(prompt, Prompt)
    ]


def read_prompts(source: str | Path) -> list[Prompt | Skip]:
    """All prompts of a file, or of a bundled set named by its name; a Skip for a row that holds none.

    Raises InputError where the file can't be read or its shape is unknown.
    """
    path = resource("data", "prompts", f"{source}.jsonl") if str(source) in BUNDLED else Path(source)
    text = _text(path)
    rows = list(_rows(text, path))
    if not rows:
        raise InputError(f"{path}: no prompts", fix=_READ)
    return [_prompt(row, where) for where, row in rows]


def _text(path: Path) -> str:
    if path.is_dir() or not path.exists():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"prompts: {path} {what}", fix="give a file with -p FILE, or one of " + ", ".join(BUNDLED))
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 at byte {error.start}", fix="iconv -f latin1 -t utf-8 FILE > NEW"
        ) from error
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: can't be read: {error}", fix="check the file") from error


def _rows(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    """(where, row): lines of text are strings, JSON rows what they are."""
    start = text.lstrip()[:1]
    if start == "[" and "jsonl" not in path.name:
        try:
            yield from ((f"{path}:row {i}", row) for i, row in enumerate(json.loads(text)))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: not valid JSON: {error}", fix="mend or remove what stands there") from error
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{path}:{number}", _line(line.strip(), f"{path}:{number}") if start == "{" else line.strip()


def _line(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON: {error}", fix="mend or remove that line") from error


def _prompt(row: Any, where: str) -> Prompt | Skip:
    messages = _messages(row, where)
    if not messages:
        return Skip("empty", f"{where}: no user turn")
    if any(_PLACEHOLDER.search(message["content"]) for message in messages):
        return Skip("placeholder", f"{where}: {messages[-1]['content']:.200}")
    columns = {key: value for key, value in row.items() if key not in _TEXT} if isinstance(row, dict) else {}
    return Prompt(messages, columns)


_TEXT = (
    "prompt",
    "messages",
    "conversations",
    "instruction",
    "input",
    "output",
    "system",
    "history",
    "chosen",
    "rejected",
)


def _messages(row: Any, where: str) -> tuple[Message, ...]:
    if isinstance(row, str):
        return _last_turn([("user", row)])
    if isinstance(row, dict):
        system = [("system", row["system"])] if isinstance(row.get("system"), str) and row["system"] else []
        for key in ("prompt", "messages", "conversations"):
            if isinstance(value := row.get(key), str):
                return _last_turn([*system, ("user", value)])
            if isinstance(value, list):
                return _last_turn([*system, *_turns(value, where)])
        if isinstance(value := row.get("instruction"), str):
            return _last_turn([*system, ("user", "\n".join(filter(None, [value, row.get("input")])))])
    found = ", ".join(map(str, row)) if isinstance(row, dict) else type(row).__name__
    raise InputError(f"{where}: unknown shape: found {found:.120}", fix=_READ)


def _turns(turns: Iterable[Any], where: str) -> Iterator[tuple[str, str]]:
    for turn in turns:
        role, content = _role_content(turn) if isinstance(turn, Mapping) else (None, None)
        if not isinstance(role, str) or not isinstance(content, str):
            raise InputError(f"{where}: a turn without role/content or from/value: {turn!r:.80}", fix=_READ)
        yield role, content


def _role_content(turn: Mapping[str, Any]) -> tuple[Any, Any]:
    return turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))


def _last_turn(turns: Iterable[tuple[str, str]]) -> tuple[Message, ...]:
    """The last user turn, under the system message if there is one."""
    turns = list(turns)
    asked = [content for role, content in turns if role in _USER and content.strip()]
    system = [content for role, content in turns[:1] if role in _SYSTEM]
    kept = [("system", content) for content in system] + [("user", content) for content in asked[-1:]]
    return tuple(Message(role=role, content=content) for role, content in kept) if asked else ()
