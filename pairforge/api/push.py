"""push: build a dataset with a card from pairs, show it, and upload it to the Hub in one commit; or a trained model."""

from __future__ import annotations

import gc
import hashlib
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

from .. import checks, formats
from ..checks.rule import RULES
from ..checks.secrets import SecretChecker
from ..console import note, table
from ..disk import atomic, write_atomic, write_errors
from ..errors import InputError, OutsideError
from ..hub import dataset_card
from ..hub.dataset_upload import CARD_FILE, DATA_FILE, DatasetUpload, RowChanges, check_repo
from ..hub.model_upload import ModelUpload, why_not
from ..hub.repository import Commit, logged_in, login_advice
from ..markdown import public_name
from ..options import PushOptions, keywords
from ..resources import patterns, resource
from ..run import Run, TrainedModel, out_dir
from ..text import did_you_mean, plural, visible
from ..types import Finding, digest
from .inputs import PairInput

_SHOWN = 10  # errors
_POCKET = "these pairs were made by the bundled pocket model: figures on it are not figures of a real model"


@dataclass(frozen=True)
class BuiltFile:
    """A file of the dataset: its path in the repository, its size in bytes, and its SHA-256 in hex."""

    path: str
    size: int
    sha256: str

    @classmethod
    def of(cls, name: str, file: Path) -> BuiltFile:
        """Return the description of a file on this disk."""
        content = file.read_bytes()
        return cls(name, len(content), hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class PushOutcome:
    """The outcome of a push: `note` says it in one line, `ok` is False where `findings` prevented it.

    Of a trained model, `files` and `changes` are not given.
    """

    note: str
    folder: Path | None = None
    files: tuple[BuiltFile, ...] = ()
    repo: str | None = None
    pushed: bool = False
    commit: str | None = None
    url: str | None = None
    changes: RowChanges | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def brief(self) -> str:
        """The address of what was uploaded, else the folder of what was built."""
        return visible(self.url or str(self.folder or self.note))

    def as_json(self) -> dict[str, Any]:
        """Return the object that `pairforge push --json` prints."""
        said = {"command": "push", "ok": self.ok, "pushed": self.pushed, "repo": self.repo, "commit": self.commit}
        said |= {"url": self.url, "folder": str(self.folder) if self.folder else None, "note": self.note}
        said |= {"changes": self.changes.as_json() if self.changes else None}
        return said | {"findings": [finding.as_json() for finding in self.findings]}

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        if self.findings:
            shown = self.findings[:_SHOWN]
            rows = [(str("set" if f.row is None else f.row), f.path, f.code, f.message) for f in shown]
            yield table("", ("row", "path", "code", "error"), rows)
            if more := len(self.findings) - len(shown):
                yield f"and {more} more"
        yield visible(self.note)


@keywords(PushOptions)
def push(options: PushOptions) -> PushOutcome:
    """Build a dataset and its card from pairs, show them on stderr, and upload them to `repo` in one commit.

    The folder of a trained model in place of pairs is uploaded as it is, without what does not belong to the model.

    Pairs with errors, or with what looks like a secret, are not built: see `findings` of the result. With `dry_run` the
    result says what would change in `repo`, and nothing is uploaded.

    Raises:
        InputError: an argument, a file or the target can't be used; rows of the target would be lost without `yes`.
        OutsideError: the Hub or the network refuses, or there is no login to upload with.
    """
    if options.repo is not None:
        check_repo(options.repo)
    if isinstance(options.data, (str, PathLike)) and TrainedModel.at(Path(options.data)):
        return _push_model(Path(options.data), options)
    license = known_license(options.license)
    source = PairInput(_data(options), options.output, quiet=options.quiet, columns=options.columns)
    with _collector_off():
        return _build_and_upload(source, license, options)


def _push_model(folder: Path, options: PushOptions) -> PushOutcome:
    for name in ("license", "columns", "allow_pocket"):
        if getattr(options, name):
            raise InputError(f"--{name.replace('_', '-')} has no effect on a model", fix="leave it out")
    upload = ModelUpload(folder, options.repo or "YOUR-NAME/YOUR-MODEL", options.private, quiet=options.quiet)
    how, why = _command(options, upload.repo), why_not(folder)
    files = plural(len(upload.names), "file")
    kept = PushOutcome(f"not uploaded: a model of {files} in {folder}; to upload: {how}", folder, repo=options.repo)
    if options.repo is None or options.dry_run:
        return kept
    if why and not options.yes:
        raise InputError(f"{folder} is not pushed: {why}", fix="add --yes to push it all the same")
    if not logged_in():
        raise OutsideError(f"nothing was uploaded to {options.repo}: no login", fix=f"{login_advice()}, then {how}")
    upload = replace(upload, repo=upload.reserve())
    return _uploaded(kept, upload.run(), options)


def _uploaded(
    built: PushOutcome, commit: Commit, options: PushOptions, changes: RowChanges | None = None
) -> PushOutcome:
    """Return the outcome of an upload that succeeded."""
    said = f"pushed to {commit.url}" if commit.new else f"already up to date: {commit.url}"
    if commit.new and changes:
        said += f": {changes}"
    if commit.private and not options.private:
        kind = "models" if changes is None else "datasets"
        said += f"; it is private and stays so, as --public is for new {kind}: change it in the settings there"
    return replace(built, note=said, pushed=commit.new, commit=commit.sha, url=commit.url, changes=changes)


def _data(options: PushOptions) -> Any:
    if options.data is not None:
        return options.data
    from .correct import default_run

    return default_run(options.output, options.quiet)


@contextmanager
def _collector_off() -> Iterator[None]:
    """Don't look for unreachable cycles: rows hold none, and the search through all of them takes a third of a push."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _bars_off(quiet: bool) -> Iterator[None]:
    """Show no progress but that of an upload, and that only in a terminal."""
    import datasets
    from huggingface_hub import utils

    libraries = [datasets, utils] if quiet or not sys.stderr.isatty() else [datasets]
    changed = [one for one in libraries if not one.are_progress_bars_disabled()]
    for one in changed:
        one.disable_progress_bars()
    try:
        yield
    finally:
        for one in changed:
            one.enable_progress_bars()


def _build_and_upload(source: PairInput, license: str | None, options: PushOptions) -> PushOutcome:
    run, rows = source.run, [dict(row) if isinstance(row, Mapping) else row for row in source.pairs()]
    errors = checks.check(rows, [one.code for one in RULES.values() if one.severity == "error"])
    look = SecretChecker().see
    leaked = [one for index, row in enumerate(rows) for one in look(index, row)]
    findings = (*errors, *leaked, *look(None, {"settings": run.settings if run else None}))
    if findings:
        said = f"not pushed: {plural(len(findings), 'error')} in the pairs"
        said += f"; to leave them out: pairforge fix {source.word} fixed.jsonl" if errors else ""
        return PushOutcome(said, repo=options.repo, findings=findings)
    pocket = any(map(_is_pocket, {str(record.get("model")) for record in (*rows, run.settings if run else {})}))
    how = _command(options, options.repo or "YOUR-NAME/YOUR-DATASET", pocket)
    shortened = cache(public_name)  # of folders of this machine
    named = ("model", "judge")
    dataset = formats.to_dataset(
        {**row, **{key: shortened(row[key]) for key in named if isinstance(row.get(key), str)}} for row in rows
    )
    rows = dataset.to_list()
    name = digest(rows, 64, str)
    own = run and os.access(run.path, os.W_OK)  # it may be another user's
    base = run.path if run and own else out_dir(options.output) / f"push-{name[:10]}"
    with _locked(base, options.quiet), _bars_off(options.quiet):
        files = _build(base / "hub", dataset, rows, name, run, license=license, repo=options.repo, pocket=pocket)
        if not options.quiet:
            note(preview(base / "hub", files))
        built = PushOutcome(f"built, not uploaded; to upload: {how}", base / "hub", files, options.repo)
        if options.repo is None:
            return built
        return _upload(built, options, pocket, how)


def _upload(built: PushOutcome, options: PushOptions, pocket: bool, how: str) -> PushOutcome:
    assert options.repo and built.folder
    upload = DatasetUpload(built.folder, options.repo, options.private, options.yes, options.quiet)
    if options.dry_run:
        if not logged_in():
            said = f"built, not uploaded, and not compared with {options.repo}: no login"
            return replace(built, note=f"{said}; {login_advice()}, then {how}")
        there = upload.compare()
        said = f"not uploaded: {'; '.join((there.text, *there.refusals))}; to upload: {how}"
        return replace(built, note=said, changes=there.changes)
    if not logged_in():
        what = f"nothing was uploaded to {options.repo}: no login; the files are in {built.folder}"
        raise OutsideError(what, fix=f"{login_advice()}, then {how}")
    if pocket and not options.allow_pocket:
        raise InputError(_POCKET, fix="make pairs with --model, or add --allow-pocket")
    return _uploaded(built, upload.run(), options, upload.changes)


def known_license(license: str | None) -> str | None:
    """Return the id of a licence that the Hub knows, or `other:NAME`, in lower case. Raises InputError for others."""
    if license is None:
        return None
    known = patterns("licenses")["hub"]
    name = license.lower()
    if name in known or re.fullmatch(r"other:[a-z0-9][a-z0-9.+_-]{0,60}", name):
        return name
    hint = did_you_mean(name, known) or "e.g. apache-2.0"
    raise InputError(
        f"--license {visible(license)!r} is not the id of a licence that the Hub knows",
        fix=f"{hint}; for one of your own: other:NAME",
    )


def _is_pocket(model: str) -> bool:
    """Return True for a name or a path of the bundled model."""
    if model == "pocket":
        return True
    try:
        return os.path.samefile(model, resource("data", "pocket"))
    except (OSError, ValueError):  # no path, or none that can be one
        return False


def _command(options: PushOptions, repo: str, pocket: bool = False) -> str:
    """Return the command that uploads what was built: this one, with what is missing."""
    words = ["pairforge", "push", *([str(options.data)] if isinstance(options.data, (str, PathLike)) else [])]
    words += ["--repo", repo]
    words += ["-o", str(options.output)] if options.output else []
    columns = formats.by_hand(options.columns).parts
    words += ["--columns", *(f"{part}={column}" for part, column in columns.items())] if columns else []
    words += ["--license", options.license] if options.license else []
    given = {"--public": not options.private, "--yes": options.yes, "--allow-pocket": pocket or options.allow_pocket}
    return shlex.join([*words, *(flag for flag, on in given.items() if on)])


@contextmanager
def _locked(folder: Path, quiet: bool) -> Iterator[None]:
    """Let one push at a time build in a folder and upload from it."""
    from filelock import FileLock, Timeout

    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".hub.lock")
    with write_errors(folder):
        try:
            held = lock.acquire(timeout=0)
        except Timeout:
            if not quiet:
                note(f"waiting for another push of {folder}")
            held = lock.acquire()
    with held:
        yield


def preview(folder: Path, files: Iterable[BuiltFile]) -> str:
    """Return the list of files with sizes and digests, and the first lines of the card below its header."""
    from rich.filesize import decimal

    lines = [str(folder), *(f"  {file.path:<34} {decimal(file.size):>9}  sha256 {file.sha256}" for file in files)]
    header, _, body = (folder / CARD_FILE).read_text(encoding="utf-8").partition("\n---\n")
    lines += ["", *(f"  | {line}" for line in body.strip().splitlines()[:10]), "  | ..."]
    if "\nlicense: " not in header:
        lines += ["", "no licence is named: --license ID, e.g. apache-2.0"]
    return visible("\n".join(lines))


def _build(
    folder: Path, dataset: Any, rows: list[Any], rows_sha256: str, run: Run | None, **card_fields: Any
) -> tuple[BuiltFile, ...]:
    """Write data and card, each atomically; the same pairs and settings give the same bytes."""
    data, readme = folder / DATA_FILE, folder / CARD_FILE
    for path in (folder, data.parent, data, readme):
        if path.is_symlink():  # of a run that somebody gave: what it points to would be overwritten
            raise InputError(f"{path} is a symbolic link, and nothing is written there", fix=f"rm {path}")
    with write_errors(data):
        data.parent.mkdir(parents=True, exist_ok=True)
        with atomic(data) as file:
            dataset.to_parquet(file)
    made = BuiltFile.of(DATA_FILE, data)
    text = dataset_card.render(
        rows,
        {"command": run.command, "settings": run.settings, "counts": run.counts} if run else {},
        features=dataset.features,
        data_file=DATA_FILE,
        rows_sha256=rows_sha256,
        data_sha256=made.sha256,
        **card_fields,
    )
    write_atomic(readme, text)
    return BuiltFile.of(CARD_FILE, readme), made
