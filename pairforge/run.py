"""A run directory: evidence that cost model time, and what is derived from it.

`<out>/evidence.db` keeps every answer and score, keyed by content and committed as it comes. The run folder
`<out>/<command>-<hash of the settings>/` holds only what can be derived again: `pairs.jsonl`, `skips.jsonl` and,
written last, `run.json`.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import InputError, OutsideError
from .types import Answer, Key, digest

VERSION = 1
FAILURES = ("failed", "oom", "unjudged")
"""The reasons of skips that another try may mend."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (id TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (settings TEXT, prompt TEXT, idx INTEGER,
    text TEXT NOT NULL, finish TEXT NOT NULL, tokens INTEGER NOT NULL,
    PRIMARY KEY (settings, prompt, idx)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores (settings TEXT, prompt TEXT, answer TEXT, score REAL NOT NULL,
    PRIMARY KEY (settings, prompt, answer)) WITHOUT ROWID;
"""


def out_dir(output: str | Path | None = None) -> Path:
    """Where runs live: `output`, else $PAIRFORGE_OUT, else `pairforge-out/` in the working folder."""
    return Path(output or os.environ.get("PAIRFORGE_OUT") or "pairforge-out")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns what a disk can do to a writer into one line for the user."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutsideError(
                f"disk full while writing {path}", fix="free some space and run the same command again"
            ) from error
        raise InputError(f"can't write {path}: {error.strerror}", fix="choose another folder with -o DIR") from error
    except sqlite3.OperationalError as error:
        if "full" in str(error):
            raise OutsideError(
                f"disk full while writing {path}", fix="free some space and run the same command again"
            ) from error
        raise InputError(f"can't use {path}: {error}", fix="choose another folder with -o DIR") from error
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{path} is not a readable evidence store: {error}",
            fix="move it away, or set it aside with: pairforge correct --fresh",
        ) from error


def write_atomic(path: Path, data: str | bytes) -> None:
    """Writes a whole file or nothing: temp file, fsync, replace, fsync of the folder."""
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temp, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temp, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Store:
    """The evidence: one SQLite file (WAL). What `add` returned from survives kill -9."""

    def __init__(self, out: Path, fresh: bool = False) -> None:
        self.path = out / "evidence.db"
        with told(self.path):
            out.mkdir(parents=True, exist_ok=True)
            if fresh:
                self._set_aside()
            self._db = sqlite3.connect(self.path, timeout=60)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            if found > VERSION:
                raise InputError(
                    f"{self.path} was made by a newer pairforge (store version {found})", fix="update pairforge"
                )
            if found < VERSION:
                self._db.executescript(_SCHEMA + f"PRAGMA user_version={VERSION};")

    def _set_aside(self) -> None:
        """Renames a store, with its write-ahead log; evidence is never deleted."""
        number = 1
        while (aside := self.path.with_name(f"evidence-{number}.db")).exists():
            number += 1
        for suffix in ("-wal", "-shm", ""):
            if (old := self.path.with_name(self.path.name + suffix)).exists():
                old.rename(aside.with_name(aside.name + suffix))

    def _name(self, settings: Mapping[str, Any]) -> str:
        name = digest(settings)
        text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
        self._db.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, text))
        return name

    def add_answers(self, settings: Mapping[str, Any], answers: Mapping[Key, Answer]) -> None:
        """Commits answers in one transaction; one that is already there stands."""
        with told(self.path), self._db:
            name = self._name(settings)
            rows = [(name, *key, answer.text, answer.finish, answer.tokens) for key, answer in answers.items()]
            self._db.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)", rows)

    def answers(self, settings: Mapping[str, Any]) -> dict[Key, Answer]:
        """All stored answers of one sampling setting."""
        query = "SELECT prompt, idx, text, finish, tokens FROM answers WHERE settings = ?"
        with told(self.path):
            return {
                (prompt, index): Answer(*rest) for prompt, index, *rest in self._db.execute(query, (digest(settings),))
            }

    def add_scores(self, settings: Mapping[str, Any], prompt: str, scores: Mapping[str, float]) -> None:
        """Commits the scores of one prompt's answers, given by text."""
        with told(self.path), self._db:
            name = self._name(settings)
            rows = [(name, prompt, digest(text), score) for text, score in scores.items()]
            self._db.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?, ?, ?)", rows)

    def scores(self, settings: Mapping[str, Any]) -> dict[tuple[str, str], float]:
        """All stored scores of one judge setting, by (prompt id, digest of the answer)."""
        query = "SELECT prompt, answer, score FROM scores WHERE settings = ?"
        with told(self.path):
            return {(p, a): score for p, a, score in self._db.execute(query, (digest(settings),))}

    def close(self) -> None:
        self._db.close()


@dataclass
class Run:
    """A folder of derived files, named by the command and a hash of all its settings."""

    path: Path
    command: str
    settings: dict[str, Any]
    counts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, out: Path, command: str, settings: dict[str, Any]) -> Run:
        """The run with these settings, finished or not."""
        run = cls(out / f"{command}-{digest(settings, 10)}", command, settings)
        with suppress(InputError):  # not finished, or broken: to be made again
            run.counts = cls.load(run.path).counts
        return run

    @classmethod
    def load(cls, path: Path) -> Run:
        """The finished run in a folder."""
        file = path / "run.json"
        try:
            value = json.loads(file.read_text("utf-8"))
            run = cls(path, value["command"], dict(value["settings"]), dict(value["counts"]))
            run.settings["model"], run.counts["pairs"], dict(run.counts["skips"])  # a run has them
            return run
        except FileNotFoundError:
            raise InputError(
                f"{path} is not a finished run: it has no run.json", fix="see: pairforge correct --help"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file} can't be read: {error!r}", fix="run the command that made it again") from error

    def revision_of(self, model: str) -> str | None:
        """The revision to load, where the model is the one of this run."""
        revision: str | None = self.settings.get("revision") if model == self.settings["model"] else None
        return revision

    @property
    def pairs(self) -> Path:
        return self.path / "pairs.jsonl"

    @property
    def complete(self) -> bool:
        """Finished, with nothing left that another try might answer or judge."""
        again = not self.counts or any(self.counts["skips"].get(reason) for reason in FAILURES)
        return not again and self.pairs.exists()

    def finish(
        self, pairs: Iterable[Mapping[str, Any]], skips: Iterable[Mapping[str, Any]], counts: dict[str, Any]
    ) -> None:
        """Writes the derived files, each whole, run.json last."""
        self.counts = counts
        write_atomic(self.path / "pairs.jsonl", _lines(pairs))
        write_atomic(self.path / "skips.jsonl", _lines(skips))
        value = {"command": self.command, "settings": self.settings, "counts": counts}
        write_atomic(self.path / "run.json", json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the run folder for this process, sweeps what a killed one left, or says who has it."""
        from filelock import FileLock, Timeout

        owner = self.path / ".pid"
        with told(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path / ".lock", timeout=0):
                write_atomic(owner, str(os.getpid()))
                for temp in self.path.glob(".*.tmp"):
                    temp.unlink()
                yield
                owner.unlink()
        except Timeout:
            pid = owner.read_text() if owner.exists() else "unknown"
            raise InputError(
                f"{self.path} is in use by process {pid}", fix="wait for it, or choose another folder with -o DIR"
            ) from None


def latest(out: Path) -> Run | None:
    """The run that was made or asked for last, if there is one; broken ones are passed over."""
    for file in sorted(out.glob("*/run.json"), key=lambda file: (-file.stat().st_mtime_ns, file.parent.name)):
        with suppress(InputError):
            return Run.load(file.parent)
    return None


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
