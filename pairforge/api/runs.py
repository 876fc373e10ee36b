"""The commands `runs list`, `runs show` and `runs rm`."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..console import outcome, table
from ..disk import write_errors
from ..errors import InputError
from ..options import ListRunsOptions, RemoveRunsOptions, ShowRunOptions, keywords
from ..run import Run, out_dir
from .inputs import latest_run, run_folder


@dataclass
class RunList:
    """The runs of a folder, the latest first."""

    runs: Sequence[dict[str, Any]]
    ok = True

    def as_json(self) -> dict[str, Any]:
        return {"command": "runs list", "ok": self.ok, "runs": list(self.runs)}

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        columns = ("made", "state", "model", "pairs", "skips")
        rows = [[Path(run["run"]).name, *(str(run[key]) for key in columns)] for run in self.runs]
        yield table("", ("run", *columns), rows) if rows else "no runs"
        yield from (f"{Path(run['run']).name} goes on by: {run['resume']}" for run in self.runs if run["resume"])


@dataclass
class RunView:
    """One run: its settings and its counts, or why it has none."""

    run: Run
    ok = True

    def as_json(self) -> dict[str, Any]:
        said = {"command": "runs show", "ok": self.ok, **_line(self.run.path)}
        return said | {"settings": self.run.settings, "counts": self.run.counts}

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        yield table("", ("setting", "value"), [(name, str(value)) for name, value in self.run.flat().items()])
        line = _line(self.run.path)
        yield outcome(self.run.counts) if self.run.counts else f"{line['state']} {line['resume']}"
        yield str(self.run.path)


@dataclass
class Removal:
    """The runs and stored answers that were removed, or would be."""

    runs: Sequence[str]
    answers: int
    done: bool
    ok = True

    def as_json(self) -> dict[str, Any]:
        return {"command": "runs rm", "ok": self.ok, "removed": self.done, "runs": self.runs, "answers": self.answers}

    def __rich__(self) -> str:
        what = ", ".join(self.runs) + (f" and {self.answers} stored answers" if self.answers else "")
        return f"removed: {what}" if self.done else f"would remove: {what}; to do so add --yes"


@keywords(ListRunsOptions)
def list_runs(options: ListRunsOptions) -> RunList:
    """Return all runs under the output folder: finished, unfinished and in use."""
    folders = [path for path in out_dir(options.output).glob("*-*") if path.is_dir()]
    return RunList([_line(path) for path in sorted(folders, key=lambda path: (-_made(path), path.name))])


@keywords(ShowRunOptions)
def show_run(options: ShowRunOptions) -> RunView:
    """Return the settings and counts of a run, by default of the latest. Raises InputError where there is none."""
    path = run_folder(options.run, options.output) if options.run else latest_run(options.output, quiet=options.quiet)
    return RunView(Run.at(path) or Run.load(path))


@keywords(RemoveRunsOptions)
def remove_runs(options: RemoveRunsOptions) -> Removal:
    """Remove run folders, with the models trained in them; with `answers` also the stored answers no other run uses.

    Without `yes` nothing is removed, and the result says what would be. Raises InputError for a run in use, and for a
    folder that is not a run.
    """
    names = [options.runs] if isinstance(options.runs, str) else options.runs
    named = (run_folder(name, options.output) for name in names)
    paths = list({path.resolve(): path for path in named}.values())
    for path in paths:
        run = Run.at(path)
        if run is None:
            raise InputError(f"{path} is not a run that can be read", fix=f"rm -r {shlex.quote(str(path))}, if it is")
        if run.in_use():
            raise run.busy()
    folders = {path.parent for path in paths} if options.answers else ()
    count = sum(_forget(paths, out, dry=not options.yes) for out in folders)
    for path in paths if options.yes else ():
        with write_errors(path):
            shutil.rmtree(path)
    return Removal([str(path) for path in paths], count, options.yes)


def _forget(paths: Sequence[Path], out: Path, dry: bool) -> int:
    """Remove the answers in `out` that these of its runs alone use; how many they are."""
    from ..store import Store

    own = [settings for path in paths if path.parent == out for settings in _samplings(path)]
    others = [settings for path in out.glob("*-*") if path not in paths for settings in _samplings(path)]
    unused = [settings for number, settings in enumerate(own) if settings not in (*others, *own[:number])]
    with closing(Store(out)) as store:
        return sum(store.forget(settings, dry) for settings in unused)


def _samplings(path: Path) -> list[Mapping[str, Any]]:
    """Return the sampling settings of a run, including those of its reviser and of its added pairs."""
    run = Run.at(path)
    parts = [run.settings, *run.settings.values()] if run else []
    return [part["sampling"] for part in parts if isinstance(part, dict) and "sampling" in part]


def _line(path: Path) -> dict[str, Any]:
    run = Run.at(path) or Run(path, "", {})
    counts, resume = run.counts, ""
    if counts:
        state = "complete" if run.complete else "open"
    else:
        state = "unfinished" if not run.owner else "in use" if run.in_use() else "stopped"
        program, *words = run.owner.get("argv") or [""]
        if Path(program).stem == "pairforge" or Path(program).parts[-2:] == ("pairforge", "__main__.py"):
            resume = shlex.join(["pairforge", *words])  # the command that goes on with it
    return {
        "run": str(path),
        "made": time.strftime("%Y-%m-%d %H:%M", time.localtime(_made(path))),
        "state": state,
        "resume": resume,
        "model": run.settings.get("model", ""),
        "pairs": counts.get("pairs", 0),
        "skips": sum(counts["skips"].values()) if counts else 0,
    }


def _made(path: Path) -> float:
    file = path / "run.json"
    return (file if file.exists() else path).stat().st_mtime
