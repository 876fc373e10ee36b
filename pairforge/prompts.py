"""Prompts from the shapes people have them in.

Read are: one prompt a line of text; and, as JSON Lines, one JSON array, CSV, TSV (any of them may be .gz) or Parquet,
rows with `prompt` (text or messages), `messages`, `conversations` (ShareGPT: from/value), `instruction` (alpaca:
instruction, input, system), `question`, `query` or `text`. Of a conversation the last user turn is the prompt.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from .errors import InputError
from .resources import resource
from .types import Message, Prompt, Skip

BUNDLED = ("identity.train", "identity.eval", "general.train", "general.eval", "controls.train", "controls.eval")
_USER, _SYSTEM = {"user", "human"}, {"system"}
_PLACEHOLDER = re.compile(r"\{\{\s*\w+\s*\}\}|<(?:NAME|AUTHOR)>")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CONVERSATIONS = ("messages", "conversations")
_TEXTS = ("instruction", "question", "query", "text")
_COLUMNS = ("prompt", *_TEXTS)
_SPENT = ("prompt", *_CONVERSATIONS, "instruction", "input", "output", "system", "history", "chosen", "rejected")
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".json", ".jsonl", ".ndjson")
_READ = "read are text lines, and rows with " + ", ".join(("prompt", *_CONVERSATIONS, *_TEXTS))


def bundled(name: str) -> list[Prompt]:
    """The prompts of one of the `BUNDLED` sets; the other keys of each line stand in `columns`."""
    return [
        prompt for prompt in read_prompts(resource("data", "prompts", f"{name}.jsonl")) if isinstance(prompt, Prompt)
    ]


def systems(split: str) -> list[dict[str, str]]:
    """The bundled system messages that name another assistant: rows of `system`, `name`, `maker`, `lang`."""
    lines = resource("data", "prompts", "systems.jsonl").read_text("utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["split"] == split]


def read_prompts(source: str | Path) -> list[Prompt | Skip]:
    """All prompts of a file, or of a bundled set named by its name; a Skip for a row that holds none.

    Raises InputError where the file can't be read or its shape is unknown.
    """
    path = resource("data", "prompts", f"{source}.jsonl") if str(source) in BUNDLED else Path(source)
    data = _bytes(path)
    rows = list(_parquet(data, path) if data.startswith(b"PAR1") else _rows(_text(data, path), path))
    if not rows:
        raise InputError(f"{path}: no prompts", fix=_READ)
    return [_prompt(row, where) for where, row in rows]


def _bytes(path: Path) -> bytes:
    """What the file holds, unpacked."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is not a whole gzip file: {error}", fix="fetch or write it again") from error
    except (OSError, ValueError) as error:
        known: dict[type[Exception], str] = {FileNotFoundError: "does not exist", IsADirectoryError: "is a folder"}
        what = known.get(type(error)) or f"can't be read: {getattr(error, 'strerror', None) or error}"
        raise InputError(
            f"prompts: {path} {what}", fix="give a file with -p FILE, or one of " + ", ".join(BUNDLED)
        ) from error


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin1"
        raise InputError(
            f"{path}: not UTF-8 at byte {error.start}", fix=f"iconv -f {found} -t utf-8 FILE > NEW"
        ) from error


def _parquet(data: bytes, path: Path) -> Iterator[tuple[str, Any]]:
    from pyarrow import ArrowException, parquet

    try:
        rows = parquet.read_table(io.BytesIO(data)).to_pylist()
    except (ArrowException, OSError, ValueError) as error:
        what = " ".join(str(error).split())
        raise InputError(f"{path} is not a whole Parquet file: {what}", fix="fetch or write it again") from error
    # Through JSON, which all columns of a prompt must go into: dates, decimals and bytes become text.
    yield from ((f"{path}:row {i}", json.loads(json.dumps(row, default=str))) for i, row in enumerate(rows))


def _rows(text: str, path: Path) -> Iterable[tuple[str, Any]]:
    """(where, row): lines of text are strings, all others what they are."""
    suffix = Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()
    start = text.lstrip()[:1]
    if start == "[":
        return ((f"{path}:row {i}", row) for i, row in enumerate(_json(text, path)))
    if suffix in _SEPARATORS:
        return _table(text, path, _SEPARATORS[suffix])
    return _lines(text, path, as_json=start == "{" or suffix in _JSON_LINES)


def _lines(text: str, path: Path, as_json: bool) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            row = _json(line.strip(), path, number) if as_json else _unquoted(line.strip())
            yield f"{path}:{number}", row


def _json(text: str, path: Path, line: int = 1) -> Any:
    """The value of a text that starts in that line of the file."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line += getattr(error, "lineno", 1) - 1
        what = getattr(error, "msg", error)
        raise InputError(f"{path}:{line}: not valid JSON: {what}", fix="mend or remove that line") from error


def _unquoted(line: str) -> str:
    """A line that is a JSON string is that string."""
    try:
        return str(json.loads(line)) if line.startswith('"') else line
    except ValueError:
        return line


def _table(text: str, path: Path, separator: str) -> Iterator[tuple[str, Any]]:
    """Rows by the names that the first line gives; one that starts in a line is named by it, however many it takes."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        header = [name.strip() for name in next(filter(None, reader), [])]
        if header and not set(_COLUMNS) & set(header):
            what = f"no column {', '.join(_COLUMNS)}: found {header!r:.120}"
            raise InputError(f"{path}:1: {what}", fix="name the column of the prompts in the first line")
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) > len(header):
                raise InputError(
                    f"{path}:{line}: {len(cells)} cells under {len(header)} names", fix='write "..." around each cell'
                )
            if cells:
                yield f"{path}:{line}", dict(zip_longest(header, cells, fillvalue=""))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}:{line}: not valid CSV: {error}", fix="mend or remove that line") from error


def _prompt(row: Any, where: str) -> Prompt | Skip:
    messages = _messages(row, where)
    if not messages:
        return Skip("empty", f"{where}: no user turn")
    if any(_SURROGATE.search(message["content"]) for message in messages):
        return Skip("encoding", f"{where}: half a surrogate pair, which no UTF-8 text can hold")
    if any(_PLACEHOLDER.search(message["content"]) for message in messages):
        return Skip("placeholder", f"{where}: {messages[-1]['content']:.200}")
    columns = {key: value for key, value in row.items() if key not in _SPENT} if isinstance(row, dict) else {}
    return Prompt(messages, columns)


def _messages(row: Any, where: str) -> tuple[Message, ...]:
    if isinstance(row, str):
        return _last_turn([("user", row)])
    if isinstance(row, dict):
        system = [("system", text)] if (text := _scalar(row, "system", where)) else []
        for key in ("prompt", *_CONVERSATIONS, *_TEXTS):
            value = row.get(key)
            if isinstance(value, list) and key not in _TEXTS:
                return _last_turn([*system, *_turns(value, where)])
            if isinstance(value, str) and key not in _CONVERSATIONS:
                more = _scalar(row, "input", where) if key == "instruction" else ""
                return _last_turn([*system, ("user", "\n".join(filter(None, [value, more])))])
    found = ", ".join(map(str, row)) if isinstance(row, dict) else type(row).__name__
    raise InputError(f"{where}: unknown shape: found {found:.120}", fix=_READ)


def _scalar(row: Mapping[str, Any], key: str, where: str) -> str:
    """A cell as text; nothing where there is none."""
    value = row.get(key)
    if value is not None and not isinstance(value, str | int | float):
        raise InputError(f"{where}: {key} holds a {type(value).__name__}, not a text", fix="make it a text")
    return "" if value is None else str(value)


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
