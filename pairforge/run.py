"""A run directory, `<out>/<command>-<hash of the settings>/`, with what was made from the answers.

Its files can be made again from the evidence store in the folder above: `pairs.jsonl`, `skips.jsonl` and, written
last, `run.json`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import IO, Any, TypeAlias

from .disk import atomic, json_object, write_atomic, write_errors
from .errors import InputError
from .text import outside_json, visible
from .types import Prompt, Skip, digest

WriteRow: TypeAlias = Callable[[Mapping[str, Any]], object]
LATEST = re.compile(r"latest(?:~(\d+))?")
"""How the latest run is named, and the one that was made so many runs before it."""
_OWNER = ".owner.json"
_NAME = "name.txt"  # the name that the user gave the run
_CAN_BE_NAMED = re.compile(r"\w[\w.-]{0,63}")
_WRITTEN_LAST = ("config.json", "adapter_config.json")  # of a model, and of an adapter
FAILURES = ("failed", "oom", "nan", "rejected", "unjudged")
"""The reasons of skips that say that something went wrong."""
RETRYABLE = ("failed", "oom", "unjudged", "not_asked")
"""The reasons of skips that another try may resolve."""


@dataclass(frozen=True)
class TrainedModel:
    """A model or adapter that was trained on the pairs of a run, with the content of its `verdict.json`.

    The first one of a run is in its folder `model`, the others in `model-2`, `model-3` ...
    """

    path: Path
    verdict: Mapping[str, Any]

    @classmethod
    def at(cls, folder: Path) -> TrainedModel | None:
        """Return the model in a folder, if there is a whole one."""
        if not any(os.path.exists(folder / name) for name in _WRITTEN_LAST):
            return None
        return cls(folder, json_object(folder / "verdict.json"))

    def failures(self) -> Iterator[Mapping[str, Any]]:
        """Yield the answers that count against a measure, as far as they can be read."""
        with suppress(OSError, ValueError, RecursionError):
            for line in (self.path / "failures.jsonl").read_text("utf-8").split("\n"):
                if line and isinstance(row := outside_json(line), dict):
                    yield row

    @property
    def outcome(self) -> str:
        """PASS, FAIL, or "no verdict"."""
        ok = self.verdict.get("ok")
        by_ok = "PASS" if ok is True else "FAIL" if ok is False else None
        found = self.verdict.get("verdict", by_ok)  # files of earlier versions have only `ok`
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
        fix = "name another folder: -o DIR"
        if not output and os.environ.get("PAIRFORGE_OUT"):
            fix = "PAIRFORGE_OUT names it: set it to a folder, or give -o DIR"
        raise InputError(f"{file} is a file: runs can't be in it", fix=fix)
    return path


def without_refused(settings: Any) -> Any:
    """Return settings as JSON has them, without the names under which servers took the parameters."""

    def kept(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in pairs if name != "sent_as"}

    return json.loads(json.dumps(settings), object_pairs_hook=kept)


def check_run_name(name: str) -> None:
    """Raise InputError for a name that no run can be given."""
    if LATEST.fullmatch(name) or not _CAN_BE_NAMED.fullmatch(name):
        what = "would mean the latest run" if LATEST.fullmatch(name) else "is not of letters, digits, -, _ and ."
        raise InputError(f"--name {visible(name)!r:.80} {what}", fix="e.g. --name first-try")


@dataclass
class Run:
    """A folder of derived files, named by the command and a hash of all its settings.

    `argv` is the command line that makes it, empty where it is not known.
    """

    path: Path
    command: str
    settings: dict[str, Any]
    counts: dict[str, Any] = field(default_factory=dict)
    argv: tuple[str, ...] = ()

    @classmethod
    def of(cls, out: Path, command: str, settings: dict[str, Any], name: str = "") -> Run:
        """Return the run with these settings, finished or not, in the folder of that name, else of their hash.

        Where that folder is of a run with other settings, as one that was pulled from the Hub has, it is the next one.
        Which parameters a server refused is known only when it has been asked, and makes no other run.
        """
        given = without_refused(settings)
        for path in numbered(out / (name or f"{command}-{digest(given, 10)}")):
            there = cls.at(path)  # None where it is broken: to be made again
            if there is None or without_refused(there.settings) in ({}, given):
                return cls(path, command, (there and there.settings) or settings, there.counts if there else {})
        raise AssertionError("the folders have no end")

    @classmethod
    def load(cls, path: Path) -> Run:
        """Load the finished run in a folder. Raises InputError where there is none, or it can't be read."""
        file = path / "run.json"
        try:
            value = outside_json(file.read_text("utf-8"))
            run = cls(path, str(value["command"]), dict(value["settings"]), dict(value["counts"]))
            run.argv = tuple(map(str, value.get("argv") or ()))
            counted = [run.counts["pairs"], *dict(run.counts["skips"]).values()]
            if not isinstance(run.settings["model"], str) or not all(type(count) is int for count in counted):
                raise ValueError("its model is not a text, or a count is not a number")
            return run
        except (FileNotFoundError, NotADirectoryError):
            what = f"{path} is not a finished run: it has no run.json"
            raise InputError(what, fix="see: pairforge runs list") from None
        except OSError as error:
            raise InputError(f"{file} can't be read: {error.strerror}", fix="see: pairforge runs list") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{file} can't be read: {error!r}", fix="run the command that made it again") from error

    def asked_with(self, model: str) -> dict[str, Any]:
        """Return the options with which a model is asked as this run asked: the arguments of the chat template.

        For the run's own model also its revision, and the file of its chat template, which a model trained on the pairs
        has in its folder.
        """
        arguments = (self.settings.get("sampling") or {}).get("chat_template_kwargs")
        own = {name: self.settings.get(name) for name in ("revision", "chat_template")}
        found = {"chat_template_kwargs": arguments, **(own if model == self.settings["model"] else {})}
        return {name: value for name, value in found.items() if value}

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
        begun.settings = begun.owner.get("settings", {})
        return cls.find(path) or (begun if begun.owner else None)

    @classmethod
    def of_folder(cls, path: Path) -> Run:
        """Return the run in a folder, in whatever state: without settings and counts where there are none to read."""
        return cls.at(path) or cls(path, "", {})

    @classmethod
    def is_folder(cls, path: Path) -> bool:
        """Return whether a folder is that of a run, in whatever state, also one that can't be read."""
        return any(
            os.path.exists(path / name) for name in ("run.json", _OWNER, ".lock", "shards.json")
        ) or cls.is_closed(path)

    @staticmethod
    def is_closed(path: Path) -> bool:
        """Return whether a folder may not be read: it is another user's."""
        return path.is_dir() and not os.access(path, os.R_OK | os.X_OK)

    @property
    def name(self) -> str:
        """The name that the user gave the run; empty where it has none, or one that can't be given."""
        file = self.path / _NAME
        with suppress(OSError, ValueError):
            name = "" if file.is_symlink() else file.read_text("utf-8").strip()
            return name if _CAN_BE_NAMED.fullmatch(name) else ""
        return ""

    @classmethod
    def named(cls, out: Path, name: str) -> Path | None:
        """Return the folder of the run under `out` to which the user gave this name."""
        return next(
            (file.parent for file in sorted(out.glob(f"*/{_NAME}")) if cls(file.parent, "", {}).name == name), None
        )

    def check_name(self, name: str) -> None:
        """Raise InputError for a name that this run can't be given."""
        check_run_name(name)
        fix = "use another name"
        out = self.path.parent
        if (out / name).exists() and out / name != self.path:
            raise InputError(f"--name {name}: a folder in {out} is called so", fix=fix)
        if (other := self.named(out, name)) and other != self.path:
            raise InputError(f"--name {name}: {other.name} has that name already", fix=fix)

    def give_name(self, name: str) -> None:
        """Keep a name by which the user finds the run. Raises InputError for one that it can't be given."""
        self.check_name(name)
        write_atomic(self.path / _NAME, name + "\n")

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
    def resume(self) -> str:
        """The command that goes on with a run that stopped; empty where it was not started by one."""
        program, *words = self.owner.get("argv") or [""]
        ours = Path(program).stem == "pairforge" or Path(program).parts[-2:] == ("pairforge", "__main__.py")
        return shlex.join(["pairforge", *words]) if ours and not self.counts else ""

    @property
    def pairs(self) -> Path:
        return self.path / "pairs.jsonl"

    @property
    def skips(self) -> Path:
        return self.path / "skips.jsonl"

    @property
    def shards(self) -> Path:
        """Where its shards lie, and with which files each is whole: it is there while some are open."""
        return self.path / "shards.json"

    @property
    def prompts(self) -> Path:
        return self.path / "prompts.jsonl"

    def keep_prompts(self, prompts: Iterable[Prompt | Skip]) -> None:
        """Write the prompts that the run asks, with their columns, before they are put in contexts."""
        rows = (
            {"skip": [one.reason, one.detail]}
            if isinstance(one, Skip)
            else {"messages": list(one.messages), "columns": one.columns}
            for one in prompts
        )
        self.path.mkdir(parents=True, exist_ok=True)
        with write_errors(self.prompts), atomic(self.prompts) as file:
            file.writelines((json.dumps(row, ensure_ascii=False) + "\n").encode() for row in rows)

    def read_prompts(self) -> Iterator[Prompt | Skip]:
        """Yield the prompts that the run asked. Raises InputError where they are not there or can't be read."""
        try:
            with open(self.prompts, encoding="utf-8", newline="\n") as file:
                for row in map(json.loads, filter(str.strip, file)):
                    yield Skip(*row["skip"]) if "skip" in row else Prompt(tuple(row["messages"]), row["columns"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = f"{self.prompts} can't be read: {error!r:.120}"
            raise InputError(what, fix="run the command that made the run again") from error

    def asked(self) -> Iterator[Prompt]:
        """Yield the prompts of the run in its contexts. Raises InputError where they can't be read."""
        contexts = self.settings.get("contexts") or [None]
        for one in self.read_prompts():
            if isinstance(one, Prompt):
                yield from map(one.in_context, contexts)

    @property
    def trained(self) -> list[TrainedModel]:
        """The models that were trained on the pairs, the latest last."""
        found = [] if self.is_closed(self.path) else self.path.glob("model*")
        folders = sorted(found, key=lambda folder: (len(folder.name), folder.name))
        return [*filter(None, map(TrainedModel.at, folders))]

    @property
    def failed(self) -> int:
        """How many answers or scores went wrong."""
        return sum(self.counts["skips"].get(reason, 0) for reason in FAILURES)

    @property
    def complete(self) -> bool:
        """Finished, with nothing left that another try might answer or judge."""
        again = not self.counts or any(self.counts["skips"].get(reason) for reason in RETRYABLE)
        return not again and not self.counts.get("unfinished") and self.pairs.exists()

    def finish(
        self, pairs: Iterable[Mapping[str, Any]], skips: Iterable[Mapping[str, Any]], counts: dict[str, Any]
    ) -> None:
        """Write the derived files, each whole, run.json last."""
        with self.writing() as (pair, skip):
            deque(map(pair, pairs), 0)
            deque(map(skip, skips), 0)
        self.conclude(counts)

    @contextmanager
    def writing(self) -> Iterator[tuple[WriteRow, WriteRow]]:
        """Yield the functions that write the next pair and the next skip; at the end the files get their names."""
        self.path.mkdir(parents=True, exist_ok=True)
        with atomic(self.skips) as skips, atomic(self.pairs) as pairs:
            yield _row_writer(pairs, self.pairs), _row_writer(skips, self.skips)

    def conclude(self, counts: dict[str, Any]) -> None:
        """Write run.json, by which the run is finished."""
        self.counts = counts
        argv = {"argv": [*map(_without_query, self.argv)]} if self.argv else {}
        value = {"command": self.command, **argv, "settings": self.settings, "counts": counts}
        write_atomic(self.path / "run.json", json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def add_count(self, name: str, value: Any) -> None:
        """Add to the counts of a finished run what was found later; it gets no later time by that."""
        file, self.counts[name] = self.path / "run.json", value
        time = file.stat().st_mtime_ns
        found = json_object(file)
        write_atomic(file, json.dumps(found | {"counts": self.counts}, ensure_ascii=False, indent=2) + "\n")
        os.utime(file, ns=(time, time))

    @contextmanager
    def lock(self) -> Iterator[str | None]:
        """Lock the run folder for this process and remove what a killed one left; yield which process that was, if any.

        Raises InputError that names the other process where one works here.
        """
        from filelock import FileLock

        with write_errors(self.path, fix="choose another folder for the runs: -o DIR"):
            self.path.mkdir(parents=True, exist_ok=True)
        try:
            lock = FileLock(self.path / ".lock", timeout=0).acquire()
        except OSError:  # a Timeout, or the lock of another user
            raise self.busy() from None
        with lock:
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

    def _own(self, state: str) -> None:
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        owner = {"pid": os.getpid(), "since": since, "state": state, "argv": [*map(_without_query, sys.argv)]}
        owner |= {"settings": self.settings}
        write_atomic(self.path / _OWNER, json.dumps(owner))

    def busy(self) -> InputError:
        """Return the error that names the process which works here, or says that the run is another user's."""
        if not os.access(self.path / ".lock", os.W_OK):
            return InputError(f"{self.path} belongs to another user", fix="choose another folder with -o DIR")
        who = {"pid": "unknown", "since": "lately"} | self.owner
        what = f"{self.path} is in use by process {who['pid']} since {who['since']}"
        return InputError(what, fix="wait for it, or choose another folder with -o DIR")

    def in_use(self) -> bool:
        """Return whether a process works here now; True also where the run is another user's, of whom nobody knows."""
        from filelock import FileLock

        try:
            if (self.path / ".lock").exists():
                with FileLock(self.path / ".lock", timeout=0):
                    pass
            return False
        except OSError:  # a Timeout, or no right to open it
            return True

    @property
    def owner(self) -> dict[str, Any]:
        """The process that works here, or that stopped before the end; empty where there is none.

        Its `pid`, `since`, `state` (running, stopped), `argv`, and the `settings` of the run.
        """
        if not (owner := json_object(self.path / _OWNER)):
            return {}
        argv, settings = owner.get("argv"), owner.get("settings")  # as damage may have left them
        owner["argv"] = [*map(str, argv)] if isinstance(argv, list) else []
        return owner | {"settings": settings if isinstance(settings, dict) else {}}


def _row_writer(file: IO[bytes], path: Path) -> WriteRow:
    from .formats.writers import encoded

    def write(row: Mapping[str, Any]) -> None:
        line = encoded(row) + b"\n"
        with write_errors(path):
            file.write(line)

    return write


def _without_query(word: str) -> str:
    """Return a word of a command line without the query of a URL, which may hold a key."""
    return re.sub(r"(https?://[^\s?]*)\?\S*", r"\1?...", word)


class KeptPrompts:
    """The prompts that a run asked, read from its folder each time; their number is known without."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __len__(self) -> int:
        return int(self._run.settings["prompts"]["rows"])

    def __iter__(self) -> Iterator[Prompt | Skip]:
        return self._run.read_prompts()


def made(path: Path) -> float:
    """Return when a run was made or last asked for, in seconds since 1970; 0 where its folder can't be read."""
    for file in (path / "run.json", path):
        with suppress(OSError):
            return file.stat().st_mtime
    return 0.0


def latest(out: Path, command: str = "*", back: int = 0, *, empty: bool = False) -> Run | None:
    """Return the run that was made or asked for last, or the one `back` runs before it, if there is one.

    Broken runs are skipped, and those that have no pairs unless `empty`.
    """
    folders = [file.parent for file in out.glob(f"{command}-*/run.json")]
    runs = filter(None, map(Run.find, sorted(folders, key=lambda path: (-made(path), path.name))))
    return next(islice((run for run in runs if empty or run.counts["pairs"]), back, None), None)


def run_names(out: Path) -> list[str]:
    """Return by what names runs can be called: `latest`, the names that the user gave, and those of the folders."""
    folders = [path for path in sorted(out.glob("*-*")) if Run.is_folder(path)]
    return ["latest", *filter(None, (Run(path, "", {}).name for path in folders)), *(path.name for path in folders)]
