"""A row, of whatever shape, as a prompt: which of its columns is asked, and what of a conversation is kept."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from .chat_text import transcript
from .conversation import MESSAGE_ROLES, NotTextError, NotTurnError, Turn, role_of, turns_of
from .errors import InputError
from .options.common import History
from .readers import PlacedRow, Unreadable, Wanted, hub_id, is_given, near_file, read, rows_given
from .readers.source import missing
from .readers.spool import spooled
from .readers.stream import STDIN, name_of
from .resources import resource
from .text import a_type, common_prefix, did_you_mean, lone_surrogate, one_line, plural
from .types import Message, Prompt, Skip

_TALKS = ("messages", "conversations", "conversation", "turns")
_TEXTS = ("instruction", "question", "query", "problem", "input", "text")
_PAIRS = {"chosen_messages": "rejected_messages", "chosen": "rejected"}
ASKED = ("prompt", *_TALKS, *_TEXTS, *_PAIRS)
"""The columns a prompt is read from: the first that holds something."""
_SYSTEMS = ("system", "system_prompt")
NAMES = (*ASKED, *_SYSTEMS, "history", "reference")
"""The columns that can be mapped."""
READ = f"supported: text lines, or rows with a column named {', '.join(ASKED[:6])} ...; or --columns prompt=NAME"

_MEDIA = ("image", "images", "video", "videos", "audio", "audios")
_SPENT = {"prompt", *_TALKS, "instruction", "input", "output", *_SYSTEMS, "history", *_PAIRS, *_PAIRS.values()}
PLACEHOLDER = re.compile(r"[{｛]{2}\s*(\w+)\s*[}｝]{2}|[<＜](NAME|AUTHOR)[>＞]")
"""What stands for a name in the rows of identity sets."""
_ANSWERS = ("output", "response", "completion", "answer", "reference")
"""The columns in which a row has an answer of its own: the first that holds a text."""


class UnusableError(Exception):
    """A row without a prompt; its reason and detail become those of a Skip."""


def prompt_of(row: Any, where: str, columns: Mapping[str, str], history: History) -> Prompt | Skip:
    """Return the prompt of a row. Raises InputError where its shape is unknown."""
    if isinstance(row, Skip):
        return row
    row = _named(row, columns) if isinstance(row, Mapping) else row
    try:
        messages = _kept(_turns(row, where, columns, history), history)
        texts = [message["content"] for message in messages]
        if any(map(lone_surrogate, texts)):
            raise UnusableError("encoding", "half a surrogate pair, which no UTF-8 text can hold")
        if any(map(PLACEHOLDER.search, texts)):
            raise UnusableError("placeholder", f"{texts[-1]:.200}")
    except UnusableError as error:
        reason, detail = error.args
        return Skip(reason, f"{where}: {detail}")
    except NotTextError as error:
        return Skip("not_text", f"{where}: {error}")
    except NotTurnError as error:
        what = f"{where}: a turn without role/content or from/value: {error}"
        raise InputError(what, fix="write each turn with both") from None
    rest = {key: value for key, value in row.items() if key not in _SPENT} if isinstance(row, Mapping) else {}
    for key, value in rest.items():  # as JSON has it: dates, decimals and bytes, as tables hold them, become text
        rest[key] = value if isinstance(value, str) else json.loads(json.dumps(value, default=str))
    return Prompt(messages, {sys.intern(key): value for key, value in rest.items()})


def is_prompt(row: Any) -> bool:
    """Return True if a prompt can be read from a row."""
    with suppress(InputError):
        return isinstance(prompt_of(row, "", {}, "last"), Prompt)
    return False


def _named(row: Mapping[str, Any], columns: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the row under the names known here: as `columns` maps them, else in small letters where that helps."""
    if columns:
        rest = {key: value for key, value in row.items() if key not in columns and key not in columns.values()}
        row = rest | {name: row.get(own) for name, own in columns.items()}
    if any(key in row for key in ASKED):
        return row
    small = {key.strip().lower(): value for key, value in row.items()}
    return small if any(key in small for key in ASKED) else row


def _kept(turns: Sequence[Turn], history: History) -> tuple[Message, ...]:
    """Return the last user turn, or all up to it, under the system message if there is one."""
    last = len(turns) - 1
    while last >= 0 and not (turns[last].role == "user" and (turns[last].text() or "").strip()):
        last -= 1
    if last < 0:
        raise UnusableError("empty", "no user turn")
    start = int(turns[0].role == "system")
    kept = [turn for turn in turns[:start] if (turn.text() or "").strip()]
    asked = turns[start if history == "full" else last : last + 1]
    for number, turn in enumerate(asked):  # questions with their answers, in turn
        due = ("user", "assistant")[number % 2]
        if turn.role != due:
            raise UnusableError("turns", f"turn {number} is the {one_line(turn.role, 40)}'s, not the {due}'s")
        if not (turn.text() or "").strip():
            raise UnusableError("turns", f"turn {number}, the {due}'s, is empty")
    return tuple(Message(role=turn.role, content=turn.text() or "") for turn in [*kept, *asked])


def _turns(row: Any, where: str, columns: Mapping[str, str], history: History) -> list[Turn]:
    if isinstance(row, str | list):
        return _of_value(row)
    if isinstance(row, Mapping):
        if media := [key for key in _MEDIA if row.get(key)]:
            raise UnusableError("not_text", f"comes with {media[0]}")
        turns = _asked(row, where, [key for key in ASKED if key in columns] or ASKED)
        if turns is not None:
            turns = [*(_before(row) if history == "full" else []), *turns]
            system = next(filter(None, (_scalar(row, key, where) for key in _SYSTEMS)), "")
            return [Turn("system", system), *turns] if system and turns and turns[0].role != "system" else turns
    if isinstance(row, Mapping) and row:
        own = [str(name) for name in row]
        if held := [name for name in own if name in ASKED]:
            raise InputError(f"{where}: no prompt can be read from {one_line(', '.join(held))}", fix=READ)
        fix = f"name the column that holds the prompt, e.g. --columns {shlex.quote(one_line(f'prompt={own[0]}', 60))}"
        if len(own[0].split()) > 2:  # a text, which is no name
            fix = "the first line of a table names its columns: write such a line, e.g. prompt, above the others"
        raise InputError(f"{where}: no column of prompts among {one_line(', '.join(own))}", fix=fix)
    raise InputError(f"{where}: {one_line(repr(row), 60)} is not a prompt", fix=READ)


def _of_value(value: Any) -> list[Turn]:
    """Return the turns of a transcript or list; any other text, or a list of typed parts, is one turn of the user."""
    if isinstance(value, str):
        turns = [Turn(turn["role"], turn["content"].strip()) for turn in transcript(value) or ()]
        return turns or [Turn("user", value)]
    if value and all(isinstance(part, Mapping) and "type" in part and role_of(part) is None for part in value):
        return [Turn("user", value)]
    return turns_of(value)


def _asked(row: Mapping[str, Any], where: str, keys: Sequence[str]) -> list[Turn] | None:
    """Return the turns in the first of these columns that holds something; None where there is no such column."""
    if role_of(row) in MESSAGE_ROLES and not any(key in row for key in ("prompt", *_TALKS)):
        with suppress(NotTurnError):
            return [Turn.of(row)]
    found = [key for key in keys if key in row]
    for key in found:
        value = row[key]
        if value is None or value in ("", [], {}):
            continue
        turns = _shared(row, key) if key in _PAIRS else _of_column(key, value, row, where)
        if turns is not None:
            return turns
    return [] if found and all(not row[key] for key in found) else None


def _of_column(key: str, value: Any, row: Mapping[str, Any], where: str) -> list[Turn] | None:
    """Return the turns of one column's value; None where it is nothing that this column may hold."""
    if key in _TALKS and isinstance(value, str):
        value = _json(value)
    if isinstance(value, str):
        more = _scalar(row, "input", where) if key == "instruction" else ""
        return _of_value("\n".join(filter(None, [value, more])))
    if key in _TEXTS or not isinstance(value, list | Mapping):
        return None
    if key == "prompt" and isinstance(value, Mapping):  # the root of a tree of messages
        return [Turn.of({"role": "user", **value})]
    if key == "turns" and isinstance(value, list) and all(isinstance(text, str) for text in value):
        return [Turn("user", text) for text in value[:1]]  # the later ones need answers that are not in the row
    return _of_value(value)


def _shared(row: Mapping[str, Any], key: str) -> list[Turn] | None:
    """Return the turns that the two sides of a preference share."""
    sides = [row[key], row.get(_PAIRS[key]) or row[key]]
    if not any(all(isinstance(side, kind) for side in sides) for kind in (str, list)):
        return None
    chosen, rejected = map(_of_value, sides)
    if isinstance(sides[0], str) and len(chosen) == 1:  # not a transcript but an answer
        return None
    return chosen[: common_prefix(chosen, rejected)]


def _before(row: Mapping[str, Any]) -> list[Turn]:
    """Return the turns of a `history` column: pairs of question and answer, or turns."""
    value = row.get("history") or []
    value = _json(value) if isinstance(value, str) else value
    if isinstance(value, list) and all(isinstance(item, list) and len(item) == 2 for item in value):
        return [Turn(role, text) for item in value for role, text in zip(("user", "assistant"), item, strict=True)]
    if isinstance(value, list):
        return _of_value(value)
    raise UnusableError("turns", f"history holds {a_type(value)}")


def _scalar(row: Mapping[str, Any], key: str, where: str) -> str:
    """Return a cell as text, empty where there is none."""
    value = row.get(key)
    if value is not None and not isinstance(value, str | int | float):
        raise InputError(f"{where}: {key} holds {a_type(value)}, not a text", fix="make it a text")
    return "" if value is None else str(value)


def _json(text: str) -> Any:
    """Return the list that a cell of a table holds as JSON; None for anything else."""
    with suppress(ValueError, RecursionError):
        value = json.loads(text)
        return value if isinstance(value, list) else None
    return None


__all__ = [
    "BUNDLED",
    "LANGUAGES",
    "bundled",
    "each_prompt",
    "is_prompt",
    "prompt_of",
    "prompts_given",
    "read_prompts",
    "systems",
]

LANGUAGES = {"en": "English", "zh": "Chinese"}
"""The languages of the bundled prompts."""
BUNDLED = (
    *("identity.train", "identity.eval", "general.train", "general.eval", "controls.train", "controls.eval"),
    *("everyday.eval", "claims.eval"),
)
_PROMPTS = Wanted(
    "prompts",
    f"give a file or a folder with -p, - for standard input, org/name of the Hub, or one of {', '.join(BUNDLED)}",
    columns=ASKED,
    text=True,
)


def bundled(name: str) -> list[Prompt]:
    """Return the prompts of one of the `BUNDLED` sets; the other keys of each line are in `columns`."""
    return [prompt for prompt in read_prompts(name) if isinstance(prompt, Prompt)]


def systems(split: str) -> list[dict[str, str]]:
    """Return the bundled system messages that name another assistant: rows of `system`, `name`, `maker`, `lang`."""
    return [row for _, row in _rows(resource("data", "prompts", "systems.jsonl")) if row["split"] == split]


def read_prompts(
    source: Any,
    *,
    columns: Mapping[str, str] | None = None,
    history: History = "last",
    limit: int | None = None,
    fill: Mapping[str, str] | None = None,
) -> list[Prompt | Skip]:
    """Return all prompts of a source; see `each_prompt`."""
    return [*each_prompt(source, columns=columns, history=history, limit=limit, fill=fill)]


def each_prompt(
    source: Any,
    *,
    columns: Mapping[str, str] | None = None,
    history: History = "last",
    limit: int | None = None,
    fill: Mapping[str, str] | None = None,
) -> Iterator[Prompt | Skip]:
    """Yield all prompts of a source, one a row; a Skip for a row that holds none.

    `source` is what `readers.read` takes (a file, a folder, a data set of the Hub, `-`), one of the `BUNDLED` sets, or
    prompts in Python: a list of texts, message lists or rows, a DataFrame or a `datasets.Dataset`. For a conversation,
    only the last user turn is asked, under its system message; with `history` "full" all turns before it are kept, and
    those of a message list in Python always are. `columns` names columns called otherwise: `{"prompt": "my_column"}`.
    Of prompts in Python no more than `limit` are read. With `fill`, the texts of placeholders such as {{name}}, these
    are filled, and each prompt has the answer of its own row as `reference`.

    Raises InputError where it can't be read or its shape is unknown, OutsideError where the Hub can't be reached.
    """
    columns = columns or {}
    if unknown := [name for name in columns if name not in NAMES]:
        fix = did_you_mean(unknown[0], NAMES) or f"use one of {', '.join(NAMES)}"
        raise InputError(f"--columns {unknown[0]}: not a part of a prompt", fix=fix)
    if history not in ("last", "full"):
        raise InputError(f"--history {history}: unknown", fix="use last or full")
    if fill is not None:
        yield from _answered(source, columns, history, limit, fill)
        return
    if source is None or is_given(source):
        yield from _some(islice(prompts_given(source, columns, history), limit), "prompts")
        return
    names = dict[Any, None]()
    rows = spooled(_rows(source))  # what can't be read is reported first
    found = (prompt_of(row, where, columns, history) for where, row in _noting(rows, names))
    for number, prompt in enumerate(_some(found, source)):
        if limit is None or number < limit:
            yield prompt
    if missing := [name for name in columns.values() if name not in names]:
        what = one_line(", ".join(map(str, names)) or "lines of text")
        fix = did_you_mean(missing[0], map(str, names)) or "name one of these"
        raise InputError(f"{name_of(source)}: no column {missing[0]!r}: found {what}", fix=fix)


def _some(prompts: Iterator[Prompt | Skip], source: str | Path) -> Iterator[Prompt | Skip]:
    """Yield the prompts. Raises InputError where there is none."""
    yield next(prompts, None) or _no_prompts(source)
    yield from prompts


def _noting(rows: Iterable[PlacedRow], names: dict[Any, None]) -> Iterator[PlacedRow]:
    """Yield the rows, and add the columns that there are to `names`."""
    for where, row in rows:
        names |= dict.fromkeys(row if isinstance(row, Mapping) else ())
        yield where, row


def prompts_given(values: Any, columns: Mapping[str, str], history: History) -> Iterator[Prompt | Skip]:
    """Yield a prompt for each value in Python: a text, a list of messages, a row, or a `Prompt`, which stays as it is.

    Raises InputError, once it is reached, for what can't be a prompt.
    """
    for number, value in enumerate(rows_given(values, "prompts")):
        if isinstance(value, Prompt):
            yield value
        else:
            row = list(value) if isinstance(value, tuple) else value
            yield prompt_of(row, f"prompt {number}", columns, "full" if isinstance(row, list) else history)


def _answered(
    source: Any, columns: Mapping[str, str], history: History, limit: int | None, fill: Mapping[str, str]
) -> list[Prompt | Skip]:
    """Return the prompts with the answers of their rows, placeholders filled. Raises InputError for one that isn't."""
    given, name = is_given(source), "the prompts" if is_given(source) else name_of(source)
    counted = ((f"prompt {number}", row) for number, row in enumerate(rows_given(source, "prompts"))) if given else None
    rows = list(islice(counted or _rows(source), limit)) or _no_prompts(name)
    values, seen, open_ = {key.casefold(): value for key, value in fill.items()}, set[str](), Counter[str]()
    filled = [(where, _filled(row, values, seen, missing := set[str]()), open_.update(missing)) for where, row in rows]
    if open_:
        which = " and ".join(
            f"{{{{{hole}}}}} in {count} of {plural(len(rows), 'row')}" for hole, count in open_.items()
        )
        fix = " ".join(f'--fill {hole}="..."' for hole in open_)
        raise InputError(f"{name}: nothing is given for {which}", fix=f"add {fix}")
    if unused := [key for key in fill if key.casefold() not in seen]:
        fix = f"the rows have {', '.join(sorted(seen))}" if seen else "leave --fill out: they have no placeholders"
        raise InputError(f"{name}: no row has a placeholder {{{{{unused[0]}}}}}", fix=fix)
    found = list[Prompt | Skip]()
    for where, row, _ in filled:
        prompt = prompt_of(row, where, columns, "full" if isinstance(row, list) else history)
        own = "" if isinstance(prompt, Skip) else _own_answer(row, where, columns)
        found.append(replace(prompt, columns={"reference": own}) if isinstance(prompt, Prompt) else prompt)
    if not any(isinstance(prompt, Prompt) and prompt.columns["reference"] for prompt in found):
        fix = f"name its column: --columns reference=COLUMN; looked for: {', '.join(_ANSWERS)}"
        if name == "identity.train":
            raise InputError(
                "the bundled prompts have no answers of their own", fix="add -p FILE, with a column of answers"
            )
        raise InputError(f"{name}: no row has an answer of its own", fix=fix)
    return found


def _filled(value: Any, fill: Mapping[str, str], seen: set[str], missing: set[str]) -> Any:
    """Return a row with its placeholders filled; those that were are `seen`, the others `missing`."""
    if isinstance(value, Mapping):
        return {key: _filled(one, fill, seen, missing) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(one, fill, seen, missing) for one in value]
    if not isinstance(value, str):
        return value

    def text(hole: re.Match[str]) -> str:
        name = (hole[1] or hole[2]).casefold()
        (seen if name in fill else missing).add(name)
        return fill.get(name, hole[0])

    return PLACEHOLDER.sub(text, value)


def _own_answer(row: Any, where: str, columns: Mapping[str, str]) -> str:
    """Return the answer in a row: that of a column, else the turn after the last one of the user; empty for none."""
    if isinstance(row, Mapping):
        named, keys = _named(row, columns), ("reference",) if "reference" in columns else _ANSWERS
        if own := next((named[key] for key in keys if isinstance(named.get(key), str) and named[key].strip()), ""):
            return str(own).strip()
    turns = _turns(row, where, columns, "full")
    last = max((number for number, turn in enumerate(turns) if turn.role == "user"), default=len(turns))
    after = turns[last + 1 : last + 2]
    return (after[0].text() or "").strip() if after and after[0].role == "assistant" else ""


def _no_prompts(source: str | Path) -> NoReturn:
    if os.path.isfile(source) and not os.path.getsize(source):
        raise InputError(f"{name_of(source)}: the file is empty (0 bytes)", fix="write one prompt a line into it")
    raise InputError(f"{name_of(source)}: no prompts", fix=READ)


def _rows(source: str | Path) -> Iterator[PlacedRow]:
    """Yield the rows of a source, lines of text as strings. Raises InputError at the first that can't be read."""
    if str(source) in BUNDLED:
        source = resource("data", "prompts", f"{source}.jsonl")
    elif str(source) != STDIN and not (isinstance(source, str) and hub_id(source)) and _is_missing(str(source)):
        raise _no_source(str(source))
    for where, row in read(source, _PROMPTS):
        if isinstance(row, Unreadable):
            raise InputError(row.detail, fix=row.fix)
        yield where, row


def _is_missing(source: str) -> bool:
    try:
        os.lstat(source)
    except FileNotFoundError:
        return not os.path.isdir(source.rpartition(":")[0])
    except (OSError, ValueError):  # reported when it is opened
        pass
    return False


def _no_source(source: str) -> InputError:
    """Return the error for a name of nothing, with the file or bundled set that is meant."""
    path = Path(source.strip())
    if not source.strip():
        return InputError("-p: the name of the prompts is empty", fix=_PROMPTS.named)
    if "://" in source:
        return missing(source, "")
    if path.suffix.strip(".") and path.name.partition(".")[0] not in ("identity", "general", "controls"):
        return InputError(f"-p {source}: no such file", fix=near_file(source.strip()) or "check the path")
    fix = did_you_mean(source, BUNDLED) or _PROMPTS.named
    if " " in source.strip():
        fix = 'write the prompts into a file, one a line; in Python: prompts=["..."]'
    return InputError(f"-p {source}: no file, folder or bundled set is called so", fix=fix)
