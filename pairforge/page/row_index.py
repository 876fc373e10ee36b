"""The rows of runs and files for the page: an index that filters, sorts and pages, in a private temporary database."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from array import array
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite, nan
from typing import Any

from ..checks.row import well_shaped
from ..errors import InputError
from ..pair_view import changes, margin, sides_of, text_of_turns, words
from ..text import one_line
from ..types import Finding, Skip, digest

_SCHEMA = """
PRAGMA page_size = 16384;
PRAGMA cache_size = -65536;
CREATE TABLE rows (row INTEGER PRIMARY KEY, source INTEGER, number INTEGER, kind TEXT, prompt TEXT, margin REAL,
    length_gap INTEGER, length INTEGER, judge TEXT, reason TEXT, mark TEXT, found INTEGER DEFAULT 0);
CREATE TABLE texts (row INTEGER PRIMARY KEY, id TEXT, question TEXT, chosen TEXT, rejected TEXT, json TEXT);
CREATE TABLE searched (row INTEGER PRIMARY KEY, text TEXT);
CREATE TABLE findings (row INTEGER, code TEXT, message TEXT);
CREATE INDEX finding_rows ON findings (code, row);
CREATE INDEX row_findings ON findings (row);
CREATE INDEX prompts ON rows (prompt);
"""
_FOUND_BY = ("source", "number", "kind", "prompt", "margin", "length_gap", "length", "judge", "reason")
_TEXTS = ("id", "question", "chosen", "rejected", "json")
_ORDERS = {
    "row": "row", "margin": "margin", "length_gap": "abs(length_gap)", "length": "length", "finding": "found",
}  # fmt: skip
_LISTED = (
    "row", "source", "number", "id", "kind", "question", "chosen", "rejected", "margin", "length_gap", "reason", "mark",
)  # fmt: skip
_BATCH = 500  # rows that are added at once, between which the page is answered
_KEPT = 16  # lists of row numbers
_MOST = 500  # rows of one page
_FRESH = 2.0  # seconds for which a list of row numbers is kept while rows are added
_LARGEST = 1e300  # margin: SQLite has no larger whole numbers, and no NaN
MARKS = ("drop", "keep")


class RowIndex:
    """The rows of all sources, in the order in which they were added: pairs, and what is no pair (`skip`).

    The database is a temporary file that SQLite deletes itself. One thread adds rows while others read.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", check_same_thread=False)
        self._db.executescript(_SCHEMA)
        self._lock = threading.Lock()
        self._lists: OrderedDict[tuple[Any, ...], tuple[int, float, array[int]]] = OrderedDict()
        self._version, self._marked, self._checked, self.size = 0, 0, 0, 0
        self._kinds, self._reasons, self._judges = Counter[tuple[int, str]](), Counter[str](), dict[str, None]()
        self._codes: dict[str, tuple[int, str]] = {}

    def add(self, source: int, rows: Iterable[Any]) -> None:
        """Add the rows of a source: mappings, and a Skip for each that can't be read. A row is numbered as it comes."""
        numbered = enumerate(rows)
        while batch := list(islice(numbered, _BATCH)):
            made = [{"source": source, "number": number, **_indexed(row)} for number, row in batch]
            with self._lock, self._db:
                for row, one in enumerate(made, self.size):
                    one["row"] = row
                for table, columns in (("rows", ("row", *_FOUND_BY)), ("texts", ("row", *_TEXTS))):
                    marks = ", ".join(f":{name}" for name in columns)
                    self._db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", made)
                self._db.executemany("INSERT INTO searched VALUES (:row, :searched)", made)
                self.size += len(made)
                self._kinds.update((source, one["kind"]) for one in made)
                self._reasons.update(one["reason"] for one in made if one["kind"] == "skip")
                self._judges |= dict.fromkeys(one["judge"] for one in made if one["judge"])
                self._version += 1

    def add_findings(self, found: Iterable[Finding]) -> None:
        """Add what checks found; `row` is the row of this index."""
        with self._lock, self._db:
            rows = [(one.row, one.code, one.message) for one in found]
            self._db.executemany("INSERT INTO findings VALUES (?, ?, ?)", rows)
            self._db.executemany("UPDATE rows SET found = found + 1 WHERE row = ?", [(row,) for row, *_ in rows])
            for _, code, message in rows:
                count, first = self._codes.get(code, (0, message))
                self._codes[code] = count + 1, first
            self._checked += 1

    def mark(self, row: int, mark: str | None) -> dict[str, int]:
        """Mark a row to drop or to keep, or take its mark away, and return how many rows have each mark."""
        with self._lock, self._db:
            self._db.execute("UPDATE rows SET mark = ? WHERE row = ?", (mark, row))
            self._marked += 1
        return self.marks()

    def marks(self) -> dict[str, int]:
        """Return how many rows have each mark."""
        with self._lock:
            counts = dict(self._db.execute("SELECT mark, count(*) FROM rows WHERE mark IS NOT NULL GROUP BY mark"))
        return {"dropped": counts.get("drop", 0), "kept": counts.get("keep", 0)}

    def page(self, wanted: Mapping[str, str]) -> dict[str, Any]:
        """Return the rows that a query asks for, and how many fulfil it; `at` asks for the place of a row among them.

        Raises InputError for a query that is wrong.
        """
        offset, limit = whole(wanted, "offset", 0), min(whole(wanted, "limit", 100), _MOST)
        with self._lock:
            found = self._found(wanted)
            rows = [self._listed(row) for row in found[offset : offset + limit]]
        answer = {"total": len(found), "rows": rows}
        if wanted.get("at"):
            row = whole(wanted, "at", 0)
            answer["index"] = found.index(row) if row in found else None
        return answer

    def _found(self, wanted: Mapping[str, str]) -> Sequence[int]:
        """Return the numbers of the rows that a query asks for; the latest lists are kept, so that paging is quick."""
        where, values = _conditions(wanted)
        sort, order = wanted.get("sort") or "row", wanted.get("order") or "asc"
        if sort not in _ORDERS or order not in ("asc", "desc"):
            raise InputError(f"rows can't be sorted by {one_line(sort, 40)} {one_line(order, 40)}")
        if not where and sort == "row":
            return range(self.size)[:: 1 if order == "asc" else -1]
        key = (where, *values, sort, order, self._marked if wanted.get("mark") else 0)
        current = self._version + (self._checked if wanted.get("finding") or sort == "finding" else 0)
        version, since, found = self._lists.get(key, (-1, 0.0, array("l")))
        if version != current and (version < 0 or time.monotonic() - since > _FRESH):
            by = f"{_ORDERS[sort]} IS NULL, {_ORDERS[sort]} {order}, row" if sort != "row" else f"row {order}"
            query = f"SELECT row FROM rows {where and 'WHERE '}{where} ORDER BY {by}"
            found = array("l", (row for (row,) in self._db.execute(query, values)))
            self._lists[key] = current, time.monotonic(), found
            if len(self._lists) > _KEPT:
                self._lists.popitem(last=False)
        self._lists.move_to_end(key)
        return found

    def _listed(self, row: int) -> dict[str, Any]:
        query = f"SELECT {', '.join(_LISTED)} FROM rows JOIN texts USING (row) WHERE row = ?"
        values = dict(zip(_LISTED, self._db.execute(query, (row,)).fetchone(), strict=True))
        codes = self._db.execute("SELECT DISTINCT code FROM findings WHERE row = ? ORDER BY code", (row,))
        return values | {"findings": [code for (code,) in codes]}

    def sort(self) -> None:
        """Sort the rows in every order before somebody asks for it."""
        for sort in _ORDERS:
            for order in ("asc", "desc"):
                self.page({"sort": sort, "order": order, "limit": "0"})

    def row(self, row: int) -> dict[str, Any] | None:
        """Return all that is known of a row; None where there is none of this number."""
        with self._lock:
            text = self._db.execute("SELECT json FROM texts WHERE row = ?", (row,)).fetchone()
            if text is None:
                return None
            values = self._listed(row)
            said = self._db.execute("SELECT code, message FROM findings WHERE row = ?", (row,))
            values["findings"] = [{"code": code, "message": message} for code, message in said]
            others = self._others(row)
        return values | {"others": others} | _content(json.loads(text[0]))

    def _others(self, row: int) -> list[dict[str, Any]]:
        """Return the rows of the other sources that are of the same prompt."""
        query = (
            "SELECT other.source, other.row, other.kind, other.reason, texts.json FROM rows AS own"
            " JOIN rows AS other ON other.prompt = own.prompt AND other.source != own.source"
            " JOIN texts ON texts.row = other.row WHERE own.row = ? ORDER BY other.row LIMIT 20"
        )
        found = []
        for source, other, kind, reason, text in self._db.execute(query, (row,)):
            content = _content(json.loads(text))
            sides = {name: content.get(name, "") for name in ("chosen", "rejected")}
            found.append({"source": source, "row": other, "kind": kind, "reason": reason, **sides})
        return found

    def pairs(self, source: int) -> Iterator[tuple[int, Any]]:
        """Yield the rows of a source as they were given, each with its number in this index, to be checked."""
        first = 0
        query = (
            "SELECT rows.row, json FROM rows JOIN texts USING (row)"
            " WHERE rows.row >= ? AND source = ? AND kind = 'pair' ORDER BY rows.row LIMIT ?"
        )
        while True:
            with self._lock:
                batch = self._db.execute(query, (first, source, _BATCH)).fetchall()
            if not batch:
                return
            yield from ((row, json.loads(text)) for row, text in batch)
            first = batch[-1][0] + 1

    def marked(self, source: int) -> Iterator[tuple[str | None, Any]]:
        """Yield the pairs of a source, each with its mark."""
        with self._lock:
            marks = dict(self._db.execute("SELECT row, mark FROM rows WHERE mark IS NOT NULL"))
        yield from ((marks.get(row), value) for row, value in self.pairs(source))

    def counts(self) -> dict[str, Any]:
        """Return how many rows of each kind there are, by source, and the reasons, findings and judges that occur."""
        with self._lock:
            return {
                "kinds": dict(self._kinds),
                "reasons": [{"reason": reason, "count": count} for reason, count in self._reasons.most_common()],
                "codes": [(code, *self._codes[code]) for code in sorted(self._codes)],
                "judges": sorted(self._judges),
            }

    def close(self) -> None:
        with self._lock:
            self._db.close()


def whole(wanted: Mapping[str, str], name: str, default: int) -> int:
    """Return the whole number of this name in a query. Raises InputError for anything else."""
    text = wanted.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise InputError(f"{name}={one_line(text, 40)} is not a whole number")
    return int(text)


def _conditions(wanted: Mapping[str, str]) -> tuple[str, list[Any]]:
    """Return the SQL condition of a query, and its values."""
    kind, mark = wanted.get("kind") or "all", wanted.get("mark") or ""
    if kind not in ("pairs", "skips", "all") or mark not in ("", *MARKS):
        raise InputError(f"kind={one_line(kind, 40)} or mark={one_line(mark, 40)} is unknown")
    parts: list[tuple[str, Any]] = []
    if kind != "all":
        parts.append(("kind = ?", kind.removesuffix("s")))
    for name, column in (("skip", "reason"), ("judge", "judge"), ("mark", "mark")):
        if value := wanted.get(name):
            parts.append((f"{column} = ?", value))
    if wanted.get("source"):
        parts.append(("source = ?", whole(wanted, "source", 0)))
    if code := wanted.get("finding"):
        parts.append(("row IN (SELECT row FROM findings WHERE code = ?)", code))
    for name, column in (("min_margin", "margin"), ("min_gap", "abs(length_gap)")):
        if value := wanted.get(name):
            try:
                least = float(value)
            except ValueError:
                least = nan
            if not isfinite(least):
                raise InputError(f"{name}={one_line(value, 40)} is not a number")
            parts.append((f"{column} >= ?", least))
    if text := wanted.get("q"):
        parts.append(("row IN (SELECT row FROM searched WHERE instr(text, ?))", text.casefold()))
    return " AND ".join(part for part, _ in parts), [value for _, value in parts]


def _indexed(row: Any) -> dict[str, Any]:
    """Return what a row is found and listed by, the row as JSON, and the text that is searched."""
    if isinstance(row, Skip):
        row = {"reason": row.reason, "detail": row.detail}
    elif not isinstance(row, Mapping):
        row = {"reason": "not_a_row", "detail": json.dumps(row, default=str)[:1000]}
    try:
        text = json.dumps(row, ensure_ascii=False)
    except TypeError:  # dates and the like, as tables hold them
        row = json.loads(text := json.dumps(row, ensure_ascii=False, default=str))
    content = _content(row)
    chosen, rejected = content.get("chosen", ""), content.get("rejected", "")
    turns = [turn["content"] for turn in content["context"]]
    values = {
        "kind": content["kind"],
        "id": one_line(row.get("id") or row.get("prompt_id") or "", 80),
        "prompt": str(row.get("prompt_id") or digest(content["context"])),
        "question": _shortened(turns[-1] if turns else content["detail"]),
        "chosen": _shortened(chosen),
        "rejected": _shortened(rejected),
        "judge": one_line(row.get("judge") or "", 80),
        "reason": content["reason"],
        "json": text,
        "searched": "\n".join([*turns, chosen, rejected, content["detail"]]).casefold(),
    }
    values = {name: _encodable(value) if isinstance(value, str) else value for name, value in values.items()}
    if content["kind"] != "pair":
        return values | dict.fromkeys(("margin", "length_gap", "length"))
    apart = margin(row)
    apart = None if apart is None or not abs(apart) < _LARGEST else float(apart)
    lengths = len(chosen), len(rejected)
    return values | {"margin": apart, "length_gap": lengths[0] - lengths[1], "length": sum(lengths)}


def _shortened(text: str) -> str:
    return one_line(text[:400], 160)


def _encodable(text: str) -> str:
    """Return a text as SQLite can hold it: halves of surrogate pairs are replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


_SIDES = ("prompt", "chosen", "rejected")
_OWN = frozenset(("chosen", "rejected", "prompt", "id", "reason", "detail"))


def _content(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the texts of a row: both sides of a pair, or why it is none."""
    columns = {
        str(name): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in row.items()
        if name not in _OWN and value is not None
    }
    if not well_shaped({name: row[name] for name in _SIDES if name in row}):
        turns = row.get("prompt")
        context = [_turn(turn) for turn in turns if isinstance(turn, Mapping)] if isinstance(turns, list) else []
        detail = row.get("detail") or json.dumps(dict(row), ensure_ascii=False)
        said = {"reason": str(row.get("reason") or "not_a_pair"), "detail": str(detail)}
        return {"kind": "skip", "context": context, **said, "columns": columns}
    before, chosen, rejected = sides_of(row)
    thoughts = {
        side: thought
        for side, turns in (("chosen", chosen), ("rejected", rejected))
        if (thought := turns[-1].get("reasoning_content"))
    }
    return {
        "kind": "pair",
        "context": [_turn(turn) for turn in before],
        "chosen": text_of_turns(chosen),
        "rejected": text_of_turns(rejected),
        "reason": None,
        "detail": "",
        "columns": columns,
        **({"thoughts": thoughts} if thoughts else {}),
    }


def _turn(turn: Mapping[str, Any]) -> dict[str, str]:
    return {"role": str(turn.get("role")), "content": str(turn.get("content"))}


def difference(chosen: str, rejected: str) -> list[tuple[str, str]]:
    """Return the word difference of two answers: runs of text that are the same, or only in one of them."""
    made = list[tuple[str, str]]()
    for removed, added, same in changes(words(rejected), words(chosen)):
        if same:
            made.append(("same", added))
            continue
        made += [(side, text) for side, text in (("rejected", removed), ("chosen", added)) if text]
    return made
