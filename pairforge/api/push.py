"""push: build a dataset with a card from pairs, show it, and upload it to the Hub in one commit; or a trained model."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path, PurePath
from shutil import rmtree
from typing import Any
from uuid import uuid4

from .. import formats
from ..checks.gate import allowances
from ..console import note, table
from ..disk import git_id, json_object, sha256_of, write_atomic, write_errors
from ..errors import InputError, OutsideError, PairforgeError
from ..hub import croissant, manifest
from ..hub.dataset_upload import (
    CARD_FILE,
    DATA_FOLDER,
    BuiltDataset,
    DatasetUpload,
    RowChanges,
    check_right,
)
from ..hub.manifest import DataConfig, Manifest
from ..hub.model_upload import ModelUpload, why_not
from ..hub.repository import Commit, check_repo, connected, logged_in, login_advice, status_of
from ..options.declaration import keywords
from ..options.hub import PushOptions
from ..resources import patterns
from ..run import Run, TrainedModel, out_dir
from ..text import did_you_mean, plural, visible
from ..types import Finding
from .dataset_build import CheckedRows, build_dataset, inputs_digest, is_pocket, licenses_of, write_card
from .html_report import report_text
from .inputs import PairInput

_SHOWN = 10  # errors
_OLD = 24 * 3600  # seconds after which a folder that a push built in was left by one that was killed
_MARK = ".hub.json"  # beside the folder that was built: from what
_CONFIG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}")
_REF = re.compile(r"[A-Za-z0-9][\w./-]{0,100}", re.ASCII)
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
        return cls(name, file.stat().st_size, sha256_of(file))


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
    """Build a data set and its card from pairs, show them on stderr, and upload them in one commit.

    They go to `repo`; without it, where there is a login, to a private data set that is called as the run or the file.

    The folder of a trained model in place of pairs is uploaded as it is, without what does not belong to the model.

    Pairs with errors, or with what looks like a secret, are not built: see `findings` of the result. With `dry_run` the
    result says what would change there, and nothing is uploaded.

    Raises:
        InputError: an argument, a file or the target can't be used; rows of the target would be lost without `yes`.
        OutsideError: the Hub or the network refuses, or there is no login to upload with.
    """
    if options.repo is not None:
        check_repo(options.repo)
    if isinstance(options.data, (str, PathLike)) and TrainedModel.at(Path(options.data)):
        return _push_model(Path(options.data), options)
    license = known_license(options.license)
    _check_names(options)
    data = options.data
    if data is None:
        from .correct import default_run

        data = default_run(options.output, options.quiet)
    with PairInput(data, options.output, quiet=options.quiet, columns=options.columns) as source:
        return _build_and_upload(source, license, options)


def _check_names(options: PushOptions) -> None:
    """Raise InputError for what can be no name of a config, a tag or a branch, and for what can't go together."""
    if (
        options.config_name is not None and not _CONFIG.fullmatch(options.config_name)
    ) or options.config_name == DATA_FOLDER:
        what = f"--config-name {visible(str(options.config_name))!r:.80} can't be the name of a config"
        raise InputError(what, fix="use letters, digits, - and _, and not data, e.g. --config-name correction")
    for flag, name in (("--tag", options.tag), ("--revision", options.revision)):
        if name is not None and (not _REF.fullmatch(name) or ".." in name or name.endswith((".lock", "/", "."))):
            raise InputError(f"{flag} {visible(name)!r:.80} can't be a name in git", fix=f"e.g. {flag} v1")
    if options.create_pr and (options.revision or options.tag):
        raise InputError("--create-pr goes to main, and has no tag", fix="leave --revision and --tag out")


def _push_model(folder: Path, options: PushOptions) -> PushOutcome:
    for name in ("license", "columns", "allow", "allow_pocket", "report"):
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
    built: PushOutcome, commit: Commit, options: PushOptions, changes: RowChanges | None = None, unread: str = ""
) -> PushOutcome:
    """Return the outcome of an upload that succeeded."""
    said = f"pushed to {commit.url}" if commit.new else f"already up to date: {commit.url}"
    if commit.new and changes:
        seen = f"could not be read back: {unread}" if unread else "was read back, and is as it was built"
        said += f": {changes}; {commit.sha[:7]} {seen}"
    if commit.private and not options.private:
        kind = "models" if changes is None else "datasets"
        said += f"; it is private and stays so, as --public is for new {kind}: change it in the settings there"
    return replace(built, note=said, pushed=commit.new, commit=commit.sha, url=commit.url, changes=changes)


@contextmanager
def _bars_off(quiet: bool) -> Iterator[None]:
    """Show the progress of an upload in a terminal only."""
    from huggingface_hub import utils

    change = (quiet or not sys.stderr.isatty()) and not utils.are_progress_bars_disabled()
    if change:
        utils.disable_progress_bars()
    try:
        yield
    finally:
        if change:
            utils.enable_progress_bars()


def _build_and_upload(source: PairInput, license: str | None, options: PushOptions) -> PushOutcome:
    if options.repo and not (options.dry_run or options.create_pr) and logged_in():
        check_right(options.repo)  # before minutes of work
    text = report_text(source, quiet=options.quiet)[0] if options.report else ""
    run, inputs = source.run, inputs_digest(source, options, license, text)
    own = run and os.access(run.path, os.W_OK)  # it may be another user's
    root = run.path if run and own else out_dir(options.output)
    for base in [root] if own else root.glob("push-*"):
        if inputs and _mark(base).get("inputs") == inputs:
            with _locked(base, options.quiet):
                if kept := _built_before(base, inputs, run, license):
                    if not options.quiet:
                        note(f"{kept.folder} was built from these pairs and settings before")
                    write_card(kept, options.repo)
                    return _upload(kept, options, source, _mark(base)["models"])
    rows = CheckedRows(source, allowances(options.allow))
    with _folder_for(root) as folder:
        built = build_dataset(source, rows, folder, options, license, text)
        if built is None:
            said = f"not pushed: {'; '.join(rows.gate.refusals)}"
            if rows.findings[0].code == "PF201":
                return PushOutcome(said, repo=options.repo, findings=tuple(rows.findings))
            if any(one.code[:3] not in ("PF3", "PF5") for one in rows.findings):
                said += f"; to leave them out: pairforge fix {source.word} fixed.jsonl"
            said += f"; where it is meant: --allow {rows.findings[0].code}=REASON"
            return PushOutcome(said, repo=options.repo, findings=tuple(rows.findings))
        name = built.manifest.configs[built.manifest.default].digest
        base = root if own else root / f"push-{name[:10]}"
        with _locked(base, options.quiet):
            built = replace(built, folder=_put(folder, base / "hub"))
            write_atomic(base / _MARK, json.dumps({"inputs": inputs, "models": sorted(rows.models)}))
            if not options.quiet:
                note(preview(built.folder, _files(built)))
            return _upload(built, options, source, rows.models)


def _mark(base: Path) -> dict[str, Any]:
    """Return from what the data set beside it was built, as far as that is known."""
    return json_object(base / _MARK)


def _built_before(base: Path, inputs: str, run: Run | None, license: str | None) -> BuiltDataset | None:
    """Return the data set that an earlier push built from the same, if it is whole and would be built so again."""
    mark, folder = _mark(base), base / "hub"
    if mark.get("inputs") != inputs or folder.is_symlink():
        return None
    try:
        made = Manifest.read((folder / manifest.FILE).read_text("utf-8"), str(folder))
        whole = all(sha256_of(folder / file.path) == file.sha256 for file in made.files)
        whole &= all(git_id((folder / one.report_path).read_bytes()) == one.report for one in _reported(made))
    except (OSError, PairforgeError):
        return None
    known = made.configs[made.default].licenses == licenses_of(run, mark["models"], license)
    return BuiltDataset(folder, made) if whole and known else None


def _reported(made: Manifest) -> list[DataConfig]:
    return [config for config in made.configs.values() if config.report_path]


@contextmanager
def _folder_for(root: Path) -> Iterator[Path]:
    """Yield a folder to build in, which is not there yet; what is left in it goes, as does what a killed push left."""
    for old in root.glob(".push-*"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > _OLD:
                rmtree(old)
    folder, there = root / f".push-{uuid4().hex[:12]}", root.exists()
    try:
        yield folder / "new"
    finally:
        rmtree(folder, ignore_errors=True)
        if not there:
            with suppress(OSError):  # as a rule, because it holds what was built
                root.rmdir()


def _put(built: Path, place: Path) -> Path:
    """Put a folder that was built where a run has it, in place of the one that was there."""
    if place.is_symlink():  # of a run that somebody gave: what it points to would be moved
        raise InputError(f"{place} is a symbolic link, and nothing is written there", fix=f"rm {place}")
    with write_errors(place):
        place.with_name(_MARK).unlink(missing_ok=True)
        if place.exists():
            place.rename(built.with_name("old"))
        built.rename(place)
    return place


def _files(built: BuiltDataset) -> tuple[BuiltFile, ...]:
    """Return what is in the folder, the card first."""
    texts = (BuiltFile.of(name, built.folder / name) for name in (CARD_FILE, manifest.FILE, croissant.FILE))
    data = (BuiltFile(file.path, file.bytes, file.sha256) for file in built.manifest.files)
    reports = (BuiltFile.of(one.report_path, built.folder / one.report_path) for one in _reported(built.manifest))
    return (*texts, *data, *reports)


def _upload(built: BuiltDataset, options: PushOptions, source: PairInput, models: Iterable[str]) -> PushOutcome:
    pocket, made = any(map(is_pocket, models)), PushOutcome("", built.folder, _files(built), options.repo)
    how = _command(options, options.repo or "YOUR-NAME/YOUR-DATASET", pocket)
    to_upload = f"to upload: {how}"
    if not logged_in():
        if options.repo is None or options.dry_run:
            what = f", and not compared with {options.repo}" if options.repo else ""
            return replace(made, note=f"built, not uploaded{what}: no login; {login_advice()}, then: {how}")
        what = f"nothing was uploaded to {options.repo}: no login; the files are in {built.folder}"
        raise OutsideError(what, fix=f"{login_advice()}, then {how}")
    if pocket and not options.allow_pocket and not options.dry_run:
        if options.repo is None:
            return replace(made, note=f"built, not uploaded: {_POCKET}; {to_upload}")
        raise InputError(_POCKET, fix="make pairs with --model, or add --allow-pocket")
    try:
        repo = options.repo or f"{_user()}/{_repo_name(source, built)}"
    except OutsideError as error:
        if status_of(error.__cause__ or error) is not None:
            raise
        return replace(made, note=f"built, not uploaded: {error.message}; {to_upload}")
    upload = DatasetUpload(
        built, repo, options.private, options.yes, options.quiet, _ask if _may_ask(options) else None,
        options.revision, options.create_pr, options.tag, options.message,
    )  # fmt: skip
    made = replace(made, repo=repo)
    with _bars_off(options.quiet):
        if options.dry_run:
            there = upload.compare()
            said = f"not uploaded: {'; '.join((there.text, *there.refusals))}; {to_upload}"
            return replace(made, note=said, changes=there.changes)
        return _uploaded(made, upload.run(), options, upload.changes, upload.unread)


def _user() -> str:
    with connected("your account", "dataset", quiet=True) as hub:
        return hub.user()


def _repo_name(source: PairInput, built: BuiltDataset) -> str:
    """Return the name of a data set for which none was given: that of the run, or of the file."""
    run = source.run
    name = run.name or run.path.name if run else PurePath(source.name).stem
    name = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:90]
    return name or f"pairs-{built.manifest.configs[built.manifest.default].digest[:10]}"


def _may_ask(options: PushOptions) -> bool:
    return not options.quiet and sys.stdin.isatty() and sys.stderr.isatty()


def _ask(what: str) -> bool:
    """Ask on the terminal whether rows and files may be replaced."""
    note(f"{visible(what)}. Push all the same? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


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


def _command(options: PushOptions, repo: str, pocket: bool = False) -> str:
    """Return the command that uploads what was built: this one, with what is missing."""
    words = ["pairforge", "push", *([str(options.data)] if isinstance(options.data, (str, PathLike)) else [])]
    words += ["--repo", repo]
    columns = formats.by_hand(options.columns).parts
    words += ["--columns", *(f"{part}={column}" for part, column in columns.items())] if columns else []
    given: dict[str, Any] = {"-o": options.output, "--license": options.license, "--config-name": options.config_name}
    given |= {"--test-size": options.test_size, "--also": options.also, "--message": options.message}
    given |= {"--revision": options.revision, "--tag": options.tag}
    for name, value in given.items():
        words += [name, str(value)] if value else []
    for code, reason in allowances(options.allow).items():
        words += ["--allow", f"{code}={reason}"]
    flags = {"--public": not options.private, "--no-candidates": not options.candidates, "--yes": options.yes}
    flags |= {"--report": options.report, "--create-pr": options.create_pr}
    flags |= {"--allow-pocket": pocket or options.allow_pocket}
    return shlex.join([*words, *(flag for flag, on in flags.items() if on)])


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

    files = [*files]
    width = max(len(file.path) for file in files)
    lines = [str(folder), *(f"  {file.path:<{width}} {decimal(file.size):>9}  sha256 {file.sha256}" for file in files)]
    header, _, body = (folder / CARD_FILE).read_text(encoding="utf-8").partition("\n---\n")
    lines += ["", *(f"  | {line}" for line in body.strip().splitlines()[:10]), "  | ..."]
    if "\nlicense: " not in header:
        lines += ["", "no licence is named: --license ID, e.g. apache-2.0"]
    return visible("\n".join(lines))
