"""The commands `runs list`, `runs show`, `runs diff` and `runs rm`."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import diagnostics
from ..console import outcome, table
from ..disk import write_errors
from ..errors import InputError
from ..evaluation.training_facts import TrainingFacts
from ..formats import read_rows
from ..notebook import HtmlRepr, data_frame
from ..options.declaration import as_tuple, keywords
from ..options.management import DiffRunsOptions, ListRunsOptions, RemoveRunsOptions, ShowRunOptions
from ..run import Run, TrainedModel, made, out_dir
from ..shards import ShardState
from ..text import listed, mapping_of, plural, status_highlighter, visible
from .inputs import latest_run, run_folder
from .judge_exam import exam_lines

STATES = {
    "open": "some prompts have no answer or score yet; the same command asks them again",
    "stopped": "the command was interrupted or failed before there were pairs",
    "unfinished": "begun, and no pairs were made",
    "in use": "a process works on it now",
    "unreadable": "its files can't be read: they are damaged, or belong to another user",
}
"""What the state of a run means, where it is not `complete`."""
_COMPARED = ("new_name", "half_name", "win_rate", "general")
"""The metrics by which trained models are compared in one line."""
_DIGEST = re.compile(r"[0-9a-f]{10,64}")


@dataclass
class RunList(HtmlRepr):
    """The runs of a folder, the latest first."""

    runs: Sequence[dict[str, Any]]
    folder: Path
    ok = True

    def as_json(self) -> dict[str, Any]:
        return {"command": "runs list", "ok": self.ok, "runs": list(self.runs)}

    @property
    def brief(self) -> str:
        """The names of the folders, a line each."""
        return "\n".join(visible(Path(run["run"]).name) for run in self.runs)

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        from rich.padding import Padding

        if not self.runs:
            yield visible(f"no runs under {self.folder}")
            return
        highlight = status_highlighter()
        width = max(len("run"), *(len(visible(Path(run["run"]).name)) for run in self.runs))
        layout = f"{{:{width}}}  {{:16}}  {{:10}}  {{:>6}}  {{:>6}}"
        yield layout.format("run", "made", "state", "pairs", "skips")
        for run in self.runs:
            cells = (Path(run["run"]).name, *(run[key] for key in ("made", "state", "pairs", "skips")))
            yield layout.format(*(visible(str(cell)) for cell in cells))
            trained = ", ".join(map(_brief, run["trained"]))
            lines = (run["name"] and f"name: {run['name']}", run["about"], trained and f"trained: {trained}")
            for line in filter(None, lines):
                yield Padding(highlight(visible(line)), (0, 0, 0, 4), expand=False)
        if others := [state for state in STATES if any(run["state"] == state for run in self.runs)]:
            yield ""
            yield from (f"{state}: {STATES[state]}" for state in others)
        yield from (
            visible(f"to go on with {Path(run['run']).name}: {run['resume']}")
            for run in self.runs
            if run["resume"] and run["state"] == "stopped"
        )


@dataclass
class RunView(HtmlRepr):
    """One run: its settings and its counts, or why it has none, and the models trained on it."""

    run: Run
    ok = True

    def as_json(self) -> dict[str, Any]:
        said = {"command": "runs show", "ok": self.ok, **_line(self.run.path)}
        shards = {"shards": self.shards._asdict()} if self.shards else {}
        return said | {"settings": self.run.settings, "counts": self.run.counts, **shards}

    @cached_property
    def shards(self) -> ShardState | None:
        """How far the shards of a run are that is not finished."""
        return ShardState.read(self.run.shards)

    def to_pandas(self) -> Any:
        """Return the pairs as a `pandas.DataFrame`, a row for each."""
        return data_frame(read_rows(self.run.pairs))

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        line = _line(self.run.path)
        named = [("name", line["name"])] if line["name"] else []
        if rows := [*named, *_readable(self.run.flat()).items()]:
            yield table("", ("setting", "value"), rows)
        width = max((len(Path(one["path"]).name) for one in line["trained"]), default=0)
        for one in line["trained"]:
            shares = "  ".join(f"{name} {share:.1%}" for name, share in one["shares"].items())
            name = f"{Path(one['path']).name:{width}}"
            yield visible(f"trained: {name}  {one['outcome']}  {shares}".rstrip())
            if how := str(TrainingFacts.read(one["training"])):
                yield visible(f"{'':{width + 11}}{how}")
        if self.run.counts:
            yield visible(outcome(self.run.counts))
            if found := self.run.counts.get("diagnostics"):
                yield from diagnostics.lines(found, self.run.settings["n"])
            yield from exam_lines(self.run.counts.get("exams", {}))
        if shards := self.shards:
            workers = {who: time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) for who, at in shards.begun}
            yield f"shards: {shards.done} of {shards.shards} are whole, {plural(len(shards.begun), 'part')} of others"
            yield from (visible(f"  {who} put a part aside at {at}") for who, at in workers.items())
        if line["state"] != "complete":
            yield f"{line['state']}: {STATES[line['state']]}"
        if line["resume"] and line["state"] == "stopped":
            yield visible(f"to go on: {line['resume']}")
        yield visible(str(self.run.path))


@dataclass
class RunDifference(HtmlRepr):
    """What two runs differ in: settings, counts, and the ids of the pairs that only one of them has."""

    a: Run
    b: Run
    removed: Sequence[str]
    added: Sequence[str]
    common: int
    ok = True

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return the counts that differ: of pairs, and of skips by reason."""
        a, b = ({"pairs": run.counts["pairs"], **run.counts["skips"]} for run in (self.a, self.b))
        return {name: pair for name in {**a, **b} if (pair := (a.get(name, 0), b.get(name, 0)))[0] != pair[1]}

    def as_json(self) -> dict[str, Any]:
        said = {"command": "runs diff", "ok": self.ok, "a": str(self.a.path), "b": str(self.b.path)}
        said |= {"settings": self.b.changes(self.a), "counts": self.counts()}
        return said | {"pairs": {"removed": self.removed, "added": self.added, "common": self.common}}

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        yield visible(f"{self.a.path.name} -> {self.b.path.name}")
        old, new = _readable(self.a.flat()), _readable(self.b.flat())
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        rows = [(name, old.get(name, "none"), new.get(name, "none")) for name in names]
        rows += [(name.replace("_", " "), str(one), str(other)) for name, (one, other) in self.counts().items()]
        if self.a.command != self.b.command:
            rows.insert(0, ("command", self.a.command, self.b.command))
        yield table("", ("", self.a.path.name, self.b.path.name), rows) if rows else "the same settings and counts"
        yield f"pairs: {self.common} in both, {len(self.removed)} removed, {len(self.added)} added"


@dataclass
class Removal(HtmlRepr):
    """The runs and stored answers that were removed, or would be."""

    runs: Sequence[str]
    answers: int
    done: bool
    models: Sequence[str] = ()
    ok = True

    def as_json(self) -> dict[str, Any]:
        said = {"command": "runs rm", "ok": self.ok, "removed": self.done, "runs": list(self.runs)}
        return said | {"answers": self.answers, "models": list(self.models)}

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        verb = "removed" if self.done else "would remove"
        if not self.runs:
            yield "no run to remove"
            return
        yield from (visible(f"{verb} {run}") for run in self.runs)
        yield from (visible(f"{verb} the trained model {model}") for model in self.models)
        if self.answers:
            yield f"{verb} {plural(self.answers, 'stored answer')}"
        count = plural(len(self.runs), "run")
        yield f"removed: {count}" if self.done else f"would remove: {count}; to do so add --yes"


@keywords(ListRunsOptions)
def list_runs(options: ListRunsOptions) -> RunList:
    """Return all runs under the output folder: finished, unfinished and in use."""
    out = out_dir(options.output)
    return RunList([_line(path) for path in _folders(out)], out)


@keywords(ShowRunOptions)
def show_run(options: ShowRunOptions) -> RunView:
    """Return the settings and counts of a run, by default of the latest. Raises InputError where there is none."""
    path = run_folder(options.run, options.output) if options.run else latest_run(options.output, quiet=options.quiet)
    run = Run.of_folder(path)
    return RunView(run if run.shards.exists() else Run.at(path) or Run.load(path))


@keywords(DiffRunsOptions)
def diff_runs(options: DiffRunsOptions) -> RunDifference:
    """Return what changed from run `a` to run `b`. Raises InputError where one is not there or not finished."""
    a, b = (Run.load(run_folder(name, options.output)) for name in (options.a, options.b))
    old, new = ([*_ids(run)] for run in (a, b))
    removed, added = ([name for name in ids if name not in others] for ids, others in ((old, {*new}), (new, {*old})))
    return RunDifference(a, b, removed, added, len({*old} & {*new}))


@keywords(RemoveRunsOptions)
def remove_runs(options: RemoveRunsOptions) -> Removal:
    """Remove run folders, with the models trained in them; with `answers` also the stored answers no other run uses.

    Without `yes` nothing is removed, and the result says what would be. `runs` may hold patterns (`correct-*`), and
    `empty` and `older_than` leave only some of those that are named, or of all. Raises InputError for a run in use,
    and for a folder that is not a run.
    """
    names = as_tuple(options.runs)
    chosen = options.empty or options.older_than is not None
    if not names and not chosen:
        raise InputError("no run is named", fix="name runs, or use --empty or --older-than DAYS: pairforge runs list")
    paths = list({path.resolve(): path for path in _named(names, out_dir(options.output))}.values())
    if options.empty:
        paths = [path for path in paths if _is_empty(path)]
    if options.older_than is not None:
        start = time.time() - 86400 * options.older_than
        paths = [path for path in paths if made(path) < start]
    for path in paths:
        if Run.at(path) is None and _unreadable(path):
            raise InputError(f"{path} is not a run that can be read", fix=f"rm -r {shlex.quote(str(path))}, if it is")
    models = [str(model.path) for path in paths for model in Run.of_folder(path).trained]
    folders = {path.parent for path in paths} if options.answers else ()
    count = sum(_forget(paths, out, dry=not options.yes) for out in folders)
    for path in paths if options.yes else ():
        with write_errors(path):
            shutil.rmtree(path)
    return Removal([str(path) for path in paths], count, options.yes, models)


def _named(names: Sequence[str], out: Path) -> Iterator[Path]:
    """Yield the folders of the runs that are named, or of all; those in use only where they are named one by one."""
    every = [path for path in _folders(out) if not Run.of_folder(path).in_use()]
    if not names:
        yield from every
    for name in names:
        if not set(name) & set("*?["):
            path = run_folder(name, str(out))
            if (run := Run.at(path)) and run.in_use():
                raise run.busy()
            yield path
            continue
        pattern = Path(name).name
        found = [
            path for path in every if any(fnmatchcase(one, pattern) for one in (path.name, Run.of_folder(path).name))
        ]
        if not found:
            raise InputError(f"no run is like {name}", fix="see: pairforge runs list")
        yield from found


def _is_empty(path: Path) -> bool:
    """Return whether a run has no pairs, and no model was trained in it."""
    run = Run.of_folder(path)
    return not run.counts.get("pairs") and not run.trained and not ((path / "run.json").exists() and not run.counts)


def _ids(run: Run) -> Iterator[str]:
    if run.pairs.exists():
        with open(run.pairs, encoding="utf-8") as lines:
            for line in lines:
                with suppress(ValueError, AttributeError):
                    yield str(json.loads(line).get("id"))


def _folders(out: Path) -> list[Path]:
    """Return the folders of all runs, the latest first."""
    with suppress(OSError):
        folders = [path for path in out.glob("*-*") if path.is_dir() and Run.is_folder(path)]
        return sorted(folders, key=lambda path: (-made(path), path.name))
    return []


def _readable(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return settings as texts, without digests, which say nothing to a reader."""

    def text(value: Any) -> str:
        return ", ".join("no system message" if one is None else str(one) for one in value) or "none"

    shown = {name: text(value) if isinstance(value, list) else str(value) for name, value in settings.items()}
    return {name: value for name, value in shown.items() if name == "revision" or not _DIGEST.fullmatch(value)}


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
    """Return what is known of a run in whatever state."""
    run = Run.of_folder(path)
    counts = run.counts
    if counts:
        state = "complete" if run.complete else "open"
    elif _unreadable(path):
        state = "unreadable"
    else:
        state = "unfinished" if not run.owner else "in use" if run.in_use() else "stopped"
    trained = [_trained(model) for model in run.trained]
    return {
        "run": str(path),
        "name": run.name,
        "made": time.strftime("%Y-%m-%d %H:%M", time.localtime(made(path))),
        "state": state,
        "resume": run.resume,
        "model": run.settings.get("model", ""),
        "pairs": counts.get("pairs", 0),
        "skips": sum(counts["skips"].values()) if counts else 0,
        "rules": _part(run, "rules"),
        "judge": _part(run, "judge").get("judge", ""),
        "prompts": _part(run, "prompts").get("source", ""),
        "about": _about(run),
        "trained": trained,
    }


def _trained(model: TrainedModel) -> dict[str, Any]:
    """Return what tells a trained model from the others: its outcome, some shares, and how it was trained."""
    metrics = mapping_of(model.verdict.get("metrics"))
    shares = {name: metrics[name].get("share") for name in _COMPARED if isinstance(metrics.get(name), Mapping)}
    return {
        "path": str(model.path),
        "outcome": model.outcome,
        "shares": {name: share for name, share in shares.items() if isinstance(share, int | float)},
        "training": TrainingFacts.beside(model.path).as_json(),
    }


def _brief(model: Mapping[str, Any]) -> str:
    """Return a trained model in a few words: "model-2 FAIL (new_name 0.0%, stopped by the guard)"."""
    first = next((f"{name} {share:.1%}" for name, share in model["shares"].items()), "")
    more = ", ".join(filter(None, (first, "stopped by the guard" if model["training"].get("stopped") else "")))
    return f"{Path(model['path']).name} {model['outcome']}" + (f" ({more})" if more else "")


def _part(run: Run, name: str) -> Mapping[str, Any]:
    return mapping_of(run.settings.get(name))


def _about(run: Run) -> str:
    """Return in one line what a run was made from: names or judge, prompts, model."""
    names = [f"{old} -> {new}" for old, new in _part(run, "rules").items()]
    parts = [listed(names, 3)]
    parts += [f"judge {judge}" if (judge := _part(run, "judge").get("judge")) else ""]
    parts += [f"prompts {source}" if (source := _part(run, "prompts").get("source")) else ""]
    parts += [f"model {model}" if (model := run.settings.get("model")) else ""]
    return " · ".join(filter(None, parts))


def _unreadable(path: Path) -> bool:
    """Return whether a folder without a run that can be read has a run.json, or is another user's."""
    return os.path.exists(path / "run.json") or Run.is_closed(path)
