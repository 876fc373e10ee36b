"""Runs: which one is meant, which there are, and what is in them."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..console import note, outcome, table
from ..disk import write_errors
from ..errors import InputError
from ..formats import read_rows
from ..run import Run, latest, out_dir
from ..store import Store
from .correct import correct
from .models import as_tuple

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


def latest_run(output: str | None = None, *, quiet: bool = False) -> Path:
    """The folder of the run that was made last; where there is none, the default correction run is made first."""
    run = latest(out_dir(output))
    if run is None:
        if not quiet:
            note(f'no run under {out_dir(output)}: making one with pairforge correct --from Qwen --to "Deep Qwen"')
        run = correct("Qwen", "Deep Qwen", output=output, quiet=quiet).run
    elif not quiet:
        note(f"using the latest run: {run.path}")
    return run.path


def are_rows(data: Any) -> bool:
    """Whether rows are given, and no name of where they are."""
    return data is not None and not isinstance(data, (str, PathLike))


def pairs_file(data: str | PathLike[str] | None = None, output: str | None = None, quiet: bool = False) -> Path:
    """The pairs behind what a user names, for `formats.read`: those of a run, by its folder or its name, or of the
    latest where nothing is named; a file, a folder of files, a Hub id and `-` as they are.
    """
    path = Path(data) if data else latest_run(output, quiet=quiet)
    if not path.exists() and (named := out_dir(output) / path).exists():
        path = named
    return path / "pairs.jsonl" if any((path / name).exists() for name in ("run.json", "pairs.jsonl")) else path


def read_pairs(data: str | PathLike[str] | None = None, output: str | None = None) -> list[Mapping[str, Any]]:
    """The pairs of a file or run folder, by default of the latest run. Raises InputError where a row can't be read."""
    return list(read_rows(pairs_file(data, output)))


@dataclass
class Listed:
    """The runs of a folder, the latest first."""

    runs: Sequence[dict[str, Any]]
    ok = True

    def as_json(self) -> dict[str, Any]:
        return {"command": "runs list", "ok": self.ok, "runs": list(self.runs)}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
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
        return {
            "command": "runs show",
            "ok": self.ok,
            **_line(self.run.path),
            "settings": self.run.settings,
            "counts": self.run.counts,
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield table("", ("setting", "value"), [(name, str(value)) for name, value in self.run.flat().items()])
        line = _line(self.run.path)
        yield outcome(self.run.counts) if self.run.counts else f"{line['state']} {line['resume']}"
        yield str(self.run.path)


@dataclass
class Removed:
    """What was removed, or would be."""

    runs: Sequence[str]
    answers: int
    done: bool
    ok = True

    def as_json(self) -> dict[str, Any]:
        return {
            "command": "runs rm",
            "ok": self.ok,
            "removed": self.done,
            "runs": list(self.runs),
            "answers": self.answers,
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        what = f"{', '.join(self.runs)}" + (f" and {self.answers} stored answers" if self.answers else "")
        yield f"removed: {what}" if self.done else f"would remove: {what}; to do so add --yes"


def list_runs(*, output: str | None = None, quiet: bool = False) -> Listed:
    """All runs under the output folder: finished, unfinished and in use."""
    folders = [path for path in out_dir(output).glob("*-*") if path.is_dir()]
    return Listed([_line(path) for path in sorted(folders, key=lambda path: (-_made(path), path.name))])


def show_run(run: str | None = None, *, output: str | None = None, quiet: bool = False) -> RunView:
    """The settings and counts of a run folder, by default of the latest. Raises InputError where there is none."""
    if not run and latest(out_dir(output)) is None:
        raise InputError(f"no run under {out_dir(output)}", fix="make one: pairforge correct --help")
    path = _folder(run, output) if run else latest_run(output, quiet=quiet)
    return RunView(Run.at(path) or Run.load(path))


def remove_runs(
    runs: Sequence[str], *, answers: bool = False, yes: bool = False, output: str | None = None, quiet: bool = False
) -> Removed:
    """Removes run folders, with the models trained in them; with `answers` also the stored answers no other run uses.

    Without `yes` it only says what it would remove. Raises InputError for a run in use, and for a folder that is none.
    """
    named = [_folder(run, output) for run in as_tuple(runs)]
    paths = list({path.resolve(): path for path in named}.values())
    for path in paths:
        run = Run.at(path)
        if run is None:
            raise InputError(f"{path} is not a run that can be read", fix=f"rm -r {shlex.quote(str(path))}, if it is")
        if run.in_use():
            raise run.busy()
    count = sum(_forget(paths, out, dry=not yes) for out in {path.parent for path in paths}) if answers else 0
    for path in paths if yes else ():
        with write_errors(path):
            shutil.rmtree(path)
    return Removed([str(path) for path in paths], count, yes)


def _forget(paths: Sequence[Path], out: Path, dry: bool) -> int:
    """Removes the answers in `out` that these of its runs alone use; how many they are."""
    own = [settings for path in paths if path.parent == out for settings in _samplings(path)]
    others = [settings for path in out.glob("*-*") if path not in paths for settings in _samplings(path)]
    unused = [settings for number, settings in enumerate(own) if settings not in (*others, *own[:number])]
    store = Store(out)
    try:
        return sum(store.forget(settings, dry) for settings in unused)
    finally:
        store.close()


def _samplings(path: Path) -> list[Mapping[str, Any]]:
    """How the answers of a run were sampled, those of a reviser and of pairs beside included."""
    run = Run.at(path)
    parts = [run.settings, *run.settings.values()] if run else []
    return [part["sampling"] for part in parts if isinstance(part, dict) and "sampling" in part]


def _folder(run: str, output: str | None) -> Path:
    """A run by its path or by its name under the output folder."""
    for path in (Path(run), out_dir(output) / run):
        if (path / "run.json").exists() or Run.at(path):
            return path
    raise InputError(f"no run {run}", fix="see: pairforge runs list")


def _line(path: Path) -> dict[str, Any]:
    run = Run.at(path) or Run(path, "", {})
    counts = run.counts
    return {
        "run": str(path),
        "made": time.strftime("%Y-%m-%d %H:%M", time.localtime(_made(path))),
        "state": ("complete" if run.complete else "open") if counts else _unfinished(run),
        "resume": "" if counts else _resume(run),
        "model": run.settings.get("model", ""),
        "pairs": counts.get("pairs", 0),
        "skips": sum(counts["skips"].values()) if counts else 0,
    }


def _unfinished(run: Run) -> str:
    if not run.owner:
        return "unfinished"
    return "in use" if run.in_use() else "stopped"


def _resume(run: Run) -> str:
    """The command that goes on with a run that stopped, where it was one of ours."""
    program, *words = run.owner.get("argv") or [""]
    ours = Path(program).stem == "pairforge" or Path(program).parts[-2:] == ("pairforge", "__main__.py")
    return shlex.join(["pairforge", *words]) if ours else ""


def _made(path: Path) -> float:
    file = path / "run.json"
    return (file if file.exists() else path).stat().st_mtime
