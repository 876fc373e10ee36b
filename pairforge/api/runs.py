"""Runs: which one is meant, which there are, and what is in them."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..console import outcome, table
from ..disk import write_errors
from ..errors import InputError
from ..run import Run, out_dir

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


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
    from .inputs import latest_run

    path = _folder(run, output) if run else latest_run(output, quiet=quiet)
    return RunView(Run.at(path) or Run.load(path))


def remove_runs(
    runs: Sequence[str], *, answers: bool = False, yes: bool = False, output: str | None = None, quiet: bool = False
) -> Removed:
    """Removes run folders, with the models trained in them; with `answers` also the stored answers no other run uses.

    Without `yes` it only says what it would remove. Raises InputError for a run in use, and for a folder that is none.
    """
    named = [_folder(run, output) for run in ([runs] if isinstance(runs, str) else runs)]
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
    from ..store import Store

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
