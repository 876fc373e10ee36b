"""A run directory, `<out>/<command>-<hash of the settings>/`, with what was made from the answers.

Its files can be made again from the evidence store in the folder above: `pairs.jsonl`, `skips.jsonl` and, written
last, `run.json`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any

from .disk import write_atomic, write_errors
from .errors import InputError
from .types import digest

_OWNER = ".owner.json"
_WRITTEN_LAST = ("config.json", "adapter_config.json")  # of a model, and of an adapter
FAILURES = ("failed", "oom", "nan", "rejected", "unjudged")
"""The reasons of skips that say that something went wrong."""
RETRYABLE = ("failed", "oom", "unjudged", "not_asked")
"""The reasons of skips that another try may resolve."""


@dataclass(frozen=True)
class TrainedModel:
    """A model or adapter that was trained on the pairs of a run, with the content of its `verdict.json`, if it has one.

    The first one of a run is in its folder `model`, the others in `model-2`, `model-3` ...
    """

    path: Path
    verdict: Mapping[str, Any] | None

    @classmethod
    def at(cls, folder: Path) -> TrainedModel | None:
        """Return the model in a folder, if there is a whole one."""
        if not any((folder / name).exists() for name in _WRITTEN_LAST):
            return None
        verdict = None
        with suppress(OSError, ValueError, RecursionError):
            verdict = json.loads((folder / "verdict.json").read_text("utf-8"))
        return cls(folder, verdict if isinstance(verdict, dict) else None)

    @property
    def outcome(self) -> str:
        """PASS, FAIL, or "no verdict"."""
        verdict = self.verdict or {}
        ok = verdict.get("ok")
        by_ok = "PASS" if ok is True else "FAIL" if ok is False else None
        found = verdict.get("verdict", by_ok)  # files of earlier versions have only `ok`
        return str(found) if found in ("PASS", "FAIL") else "no verdict"


def numbered(folder: Path) -> Iterator[Path]:
    """Yield the folder, then the same with -2, -3 ... behind its name, without end."""
    yield folder
    yield from (folder.with_name(f"{folder.name}-{number}") for number in count(2))


def out_dir(output: str | Path | None = None) -> Path:
    """Return where runs are: `output`, else $PAIRFORGE_OUT, else `pairforge-out/` in the working folder.

    Raises InputError where that is a file, or in one.
    """
    path = Path(output or os.environ.get("PAIRFORGE_OUT") or "pairforge-out")
    if file := next((part for part in (path, *path.parents) if part.is_file()), None):
        raise InputError(f"{file} is a file: runs can't be in it", fix="name another folder: -o DIR")
    return path


@dataclass
class Run:
    """A folder of derived files, named by the command and a hash of all its settings."""

    path: Path
    command: str
    settings: dict[str, Any]
    counts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, out: Path, command: str, settings: dict[str, Any]) -> Run:
        """Return the run with these settings, finished or not."""
        path = out / f"{command}-{digest(settings, 10)}"
        made = cls.find(path)  # None where it is not finished, or broken: to be made again
        return cls(path, command, settings, made.counts if made else {})

    @classmethod
    def load(cls, path: Path) -> Run:
        """Load the finished run in a folder. Raises InputError where there is none, or it can't be read."""
        file = path / "run.json"
        try:
            value = json.loads(file.read_text("utf-8"))
            run = cls(path, value["command"], dict(value["settings"]), dict(value["counts"]))
            run.settings["model"], run.counts["pairs"], dict(run.counts["skips"])  # a run has them
            return run
        except (FileNotFoundError, NotADirectoryError):
            what = f"{path} is not a finished run: it has no run.json"
            raise InputError(what, fix="see: pairforge correct --help") from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file} can't be read: {error!r}", fix="run the command that made it again") from error

    def revision_of(self, model: str) -> str | None:
        """Return the revision to load, where the model is the one of this run."""
        revision: str | None = self.settings.get("revision") if model == self.settings["model"] else None
        return revision

    @classmethod
    def find(cls, path: Path) -> Run | None:
        """Return the finished run in a folder, if there is one that can be read."""
        with suppress(InputError):
            return cls.load(path)
        return None

    @classmethod
    def at(cls, path: Path) -> Run | None:
        """Return the run in a folder, finished or only begun, if there is one."""
        begun = cls(path, path.name.rpartition("-")[0], {})
        begun.settings = dict(begun.owner.get("settings", {}))
        return cls.find(path) or (begun if begun.owner else None)

    def flat(self) -> dict[str, Any]:
        """Return the settings, nested ones as `outer.inner`."""
        flat: dict[str, Any] = {}
        for name, value in self.settings.items():
            nested = isinstance(value, dict)
            flat |= {f"{name}.{key}": inner for key, inner in value.items()} if nested else {name: value}
        return flat

    def changes(self, other: Run) -> list[str]:
        """Return what is set otherwise than in another run: `sampling.temperature: 0.0 -> 1.0`, a line each."""
        old, new = other.flat(), self.flat()
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        return [f"{name}: {old.get(name, 'none')} -> {new.get(name, 'none')}" for name in names]

    @property
    def pairs(self) -> Path:
        return self.path / "pairs.jsonl"

    @property
    def skips(self) -> Path:
        return self.path / "skips.jsonl"

    @property
    def trained(self) -> list[TrainedModel]:
        """The models that were trained on the pairs, the latest last."""
        folders = sorted(self.path.glob("model*"), key=lambda folder: (len(folder.name), folder.name))
        return [*filter(None, map(TrainedModel.at, folders))]

    @property
    def complete(self) -> bool:
        """Finished, with nothing left that another try might answer or judge."""
        again = not self.counts or any(self.counts["skips"].get(reason) for reason in RETRYABLE)
        return not again and not self.counts.get("unfinished") and self.pairs.exists()

    def finish(
        self, pairs: Iterable[Mapping[str, Any]], skips: Iterable[Mapping[str, Any]], counts: dict[str, Any]
    ) -> None:
        """Write the derived files, each whole, run.json last."""
        self.counts = counts
        for name, rows in (("pairs", pairs), ("skips", skips)):
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            write_atomic(self.path / f"{name}.jsonl", "".join(lines))
        value = {"command": self.command, "settings": self.settings, "counts": counts}
        write_atomic(self.path / "run.json", json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    @contextmanager
    def lock(self) -> Iterator[str | None]:
        """Lock the run folder for this process and remove what a killed one left; yield which process that was, if any.

        Raises InputError that names the other process where one works here.
        """
        from filelock import FileLock, Timeout

        with write_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path / ".lock", timeout=0):
                died = self.owner
                self._own("running")
                for temp in self.path.glob(".*.tmp"):
                    temp.unlink()
                try:
                    yield f"process {died['pid']}, started {died['since']}" if died.get("state") == "running" else None
                except BaseException:
                    self._own("stopped")
                    raise
                (self.path / _OWNER).unlink()
        except Timeout:
            raise self.busy() from None

    def _own(self, state: str) -> None:
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        owner = {"pid": os.getpid(), "since": since, "state": state, "argv": sys.argv, "settings": self.settings}
        write_atomic(self.path / _OWNER, json.dumps(owner))

    def busy(self) -> InputError:
        """Return the error that names the process which works here."""
        who = {"pid": "unknown", "since": "lately"} | self.owner
        what = f"{self.path} is in use by process {who['pid']} since {who['since']}"
        return InputError(what, fix="wait for it, or choose another folder with -o DIR")

    def in_use(self) -> bool:
        """Return whether a process works here now."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.path / ".lock", timeout=0):
                return False
        except Timeout:
            return True

    @property
    def owner(self) -> dict[str, Any]:
        """The process that works here, or that stopped before the end; empty where there is none.

        Its `pid`, `since`, `state` (running, stopped), `argv`, and the `settings` of the run.
        """
        with suppress(OSError, ValueError, TypeError):
            return dict(json.loads((self.path / _OWNER).read_text("utf-8")))
        return {}


def latest(out: Path, command: str = "*", back: int = 0) -> Run | None:
    """Return the run that was made or asked for last, or the one `back` runs before it, if there is one.

    Broken runs are skipped, and those that have no pairs.
    """
    files = sorted(out.glob(f"{command}-*/run.json"), key=lambda file: (-file.stat().st_mtime_ns, file.parent.name))
    runs = filter(None, (Run.find(file.parent) for file in files))
    return next(islice((run for run in runs if run.counts["pairs"]), back, None), None)
