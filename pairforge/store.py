"""The evidence store: every answer and score that cost model time, keyed by content and committed as it comes."""

from __future__ import annotations

import gzip
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .disk import write_errors
from .errors import InputError, OutsideError
from .thoughts import answer_of, written
from .types import Answer, Key, digest

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (id TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (settings TEXT, prompt TEXT, idx INTEGER,
    text TEXT NOT NULL, finish TEXT NOT NULL, tokens INTEGER NOT NULL,
    PRIMARY KEY (settings, prompt, idx)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores (settings TEXT, prompt TEXT, answer TEXT, score REAL NOT NULL,
    PRIMARY KEY (settings, prompt, answer)) WITHOUT ROWID;
"""
_EVENTS = (
    "CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, uuid TEXT UNIQUE NOT NULL, json TEXT NOT NULL)"
)


class Store:
    """The evidence: one SQLite file (WAL). What `add_answers` and `add_scores` returned from survives kill -9."""

    def __init__(self, out: Path, fresh: bool = False, *, read_only: bool = False) -> None:
        self.path = out / "evidence.db"
        if read_only:
            self._open_to_read()
            return
        with write_errors(self.path):
            out.mkdir(parents=True, exist_ok=True)
            if fresh:
                self._set_aside()
            # One thread at a time, but not always the same: web servers take each item of an iterator in another.
            self._db = sqlite3.connect(self.path, timeout=60, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA cache_size=-32768")  # kB: the keys are hashes, so pages come in any order
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            if found > VERSION:
                what = f"{self.path} was made by a newer pairforge (store version {found})"
                raise InputError(what, fix="update pairforge")
            if found < VERSION:
                self._db.executescript(_SCHEMA + f"PRAGMA user_version={VERSION};")

    def _open_to_read(self) -> None:
        """Open the file to be read only; one in a folder that can't be written, too, as far as it was written back."""
        with write_errors(self.path):
            for how in ("mode=ro", "mode=ro&immutable=1"):
                address = f"{self.path.absolute().as_uri()}?{how}"
                self._db = sqlite3.connect(address, uri=True, timeout=60, check_same_thread=False)
                try:
                    self._db.execute("SELECT count(*) FROM settings").fetchone()
                    return
                except sqlite3.OperationalError as error:
                    self._db.close()
                    unreadable = error
            raise unreadable

    def _set_aside(self) -> None:
        """Rename a store, with its write-ahead log; evidence is never deleted."""
        names = (self.path.with_name(f"evidence-{number}.db") for number in count(1))
        aside = next(path for path in names if not path.exists())
        for suffix in ("-wal", "-shm", ""):
            if (old := self.path.with_name(self.path.name + suffix)).exists():
                old.rename(aside.with_name(aside.name + suffix))

    def _name(self, settings: Mapping[str, Any]) -> str:
        name = digest(settings)
        text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
        self._db.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, text))
        return name

    def add_answers(self, settings: Mapping[str, Any], answers: Mapping[Key, Answer]) -> dict[Key, Answer]:
        """Commit answers in one transaction, and return those that are stored: an earlier one is kept."""
        if not answers:
            return {}
        with write_errors(self.path), self._db:
            name = self._name(settings)
            rows = [(name, *key, written(answer), answer.finish, answer.tokens) for key, answer in answers.items()]
            added = self._db.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)", rows).rowcount
            if added == len(rows):
                return dict(answers)
            query = "SELECT text, finish, tokens FROM answers WHERE settings = ? AND prompt = ? AND idx = ?"
            return {key: answer_of(*self._db.execute(query, (name, *key)).fetchone()) for key in answers}

    def answers(self, settings: Mapping[str, Any], prompts: Iterable[str] | None = None) -> dict[Key, Answer]:
        """Return the stored answers of one sampling setting, those to the `prompts` of these ids, or all."""
        query = "SELECT prompt, idx, text, finish, tokens FROM answers WHERE settings = ?"
        found = self._of_prompts(query, digest(settings), prompts)
        return {(prompt, index): answer_of(*rest) for prompt, index, *rest in found}

    def _of_prompts(self, query: str, name: str, prompts: Iterable[str] | None) -> Iterator[Any]:
        """Yield what a query finds for these prompts, or for all."""
        asked = [(name,)] if prompts is None else [(name, prompt) for prompt in prompts]
        query += "" if prompts is None else " AND prompt = ?"
        with write_errors(self.path):
            for one in asked:
                yield from self._db.execute(query, one)

    def copy_answers(self, source: Mapping[str, Any], target: Mapping[str, Any], prompts: Iterable[str]) -> None:
        """Store the answers to prompts of one sampling setting under another one, too; those there are kept."""
        columns = "prompt, idx, text, finish, tokens"
        query = f"INSERT OR IGNORE INTO answers SELECT ?, {columns} FROM answers WHERE settings = ? AND prompt = ?"
        with write_errors(self.path), self._db:
            to, of = self._name(target), digest(source)
            self._db.executemany(query, ((to, of, prompt) for prompt in prompts))

    def add_scores(self, settings: Mapping[str, Any], scores: Mapping[tuple[str, str], float]) -> None:
        """Commit scores in one transaction, given by the key of the prompt and the text of the answer."""
        with write_errors(self.path), self._db:
            name = self._name(settings)
            rows = [(name, prompt, digest(text), score) for (prompt, text), score in scores.items()]
            self._db.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?, ?, ?)", rows)

    def scores(self, settings: Mapping[str, Any], prompts: Iterable[str] | None = None) -> dict[tuple[str, str], float]:
        """Return the stored scores of one judge setting, by the key of the prompt and the digest of the answer.

        They are those of the `prompts` of these keys, or all.
        """
        query = "SELECT prompt, answer, score FROM scores WHERE settings = ?"
        return {(p, a): score for p, a, score in self._of_prompts(query, digest(settings), prompts)}

    def seen_before(self, prompts: Iterable[str], *, new: bool = False) -> set[str]:
        """Return which of these ids a call was given since the last `new` one; they are on disk, for now."""
        query = "INSERT OR IGNORE INTO seen VALUES (?)"
        with write_errors(self.path), self._db:
            if new:
                self._db.execute("DROP TABLE IF EXISTS temp.seen")
            self._db.execute("CREATE TEMP TABLE IF NOT EXISTS seen (prompt TEXT PRIMARY KEY) WITHOUT ROWID")
            return {one for one in dict.fromkeys(prompts) if not self._db.execute(query, (one,)).rowcount}

    def sent_as(self, settings: Mapping[str, Any]) -> dict[str, str | None]:
        """Return how a server takes the parameters of these settings, as far as answers under such settings show it."""
        with write_errors(self.path):
            rows = self._db.execute("SELECT json FROM settings WHERE json LIKE '%sent_as%'")
            stored = [json.loads(text) for (text,) in rows]
        same = [one["sent_as"] for one in stored if one == {**settings, "sent_as": one.get("sent_as")}]
        return max(same, key=len, default={})

    def answers_to(self, settings: Mapping[str, Any], prompt: str) -> list[Answer]:
        """Return the stored answers to one prompt, in order."""
        query = "SELECT text, finish, tokens FROM answers WHERE settings = ? AND prompt = ? ORDER BY idx"
        with write_errors(self.path):
            return [answer_of(*found) for found in self._db.execute(query, (digest(settings), prompt))]

    def add_events(self, events: Iterable[Mapping[str, Any]]) -> int:
        """Append what people said, each under its `uuid`, and return how many are new; one that is there stays.

        They are on the disk when this returns, even where the machine loses its power next.
        """
        rows = [(one["uuid"], json.dumps(one, ensure_ascii=False)) for one in events]
        with write_errors(self.path):
            self._db.execute("PRAGMA synchronous=FULL")  # answers can be asked for again, people can't
            with self._db:
                self._db.execute(_EVENTS)
                query = "INSERT OR IGNORE INTO events (uuid, json) VALUES (?, ?)"
                return self._db.executemany(query, rows).rowcount

    def events(self) -> list[dict[str, Any]]:
        """Return what people said, in the order in which it came."""
        with write_errors(self.path):
            if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():
                return []
            return [json.loads(text) for (text,) in self._db.execute("SELECT json FROM events ORDER BY number")]

    def settings(self) -> list[dict[str, Any]]:
        """Return all settings of samplers and judges that have answers or scores here."""
        with write_errors(self.path):
            return [json.loads(text) for (text,) in self._db.execute("SELECT json FROM settings")]

    def forget(self, settings: Mapping[str, Any], dry: bool = False) -> int:
        """Remove the answers of one sampling setting, unless `dry`, and return how many they are."""
        if dry:
            return len(self.answers(settings))
        with write_errors(self.path), self._db:
            return self._db.execute("DELETE FROM answers WHERE settings = ?", (digest(settings),)).rowcount

    def packed(self) -> bytes:
        """Return all of the store as bytes that `merge` takes."""
        with write_errors(self.path), TemporaryDirectory() as folder:
            file = Path(folder) / "evidence.db"
            self._db.execute("VACUUM INTO ?", (str(file),))
            return gzip.compress(file.read_bytes(), 1)

    def merge(self, packed: bytes, where: str) -> None:
        """Add what another store holds; what is here is kept. Raises OutsideError if it is none."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / "evidence.db"
            try:
                file.write_bytes(gzip.decompress(packed))
                self._db.execute("ATTACH ? AS other", (str(file),))
                with self._db:
                    for table in ("settings", "answers", "scores"):
                        self._db.execute(f"INSERT OR IGNORE INTO {table} SELECT * FROM other.{table}")
                self._db.execute("DETACH other")
            except (OSError, EOFError, zlib.error, sqlite3.DatabaseError) as error:
                fix = "remove it, and run the same command again"
                raise OutsideError(f"{where} holds no scores: {error}", fix=fix) from error

    def close(self) -> None:
        self._db.close()
