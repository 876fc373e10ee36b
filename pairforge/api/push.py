"""push: build a dataset with a card from pairs, show it, and upload it to the Hub in one commit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import card, checks, formats, hub
from ..checks.secrets import SecretChecker
from ..console import console as terminal
from ..console import table
from ..disk import write_atomic, write_errors
from ..errors import InputError
from ..options import PushOptions, keywords
from ..resources import resource
from ..run import out_dir
from ..text import visible
from ..types import Finding, digest
from .inputs import PairInput

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_CARD_LINES = 10


@dataclass(frozen=True)
class UploadFile:
    """A file of the dataset: its path in the repository, its size in bytes, and its SHA-256 in hex."""

    path: str
    size: int
    sha256: str

    def __str__(self) -> str:
        size = f"{self.size} B" if self.size < 1000 else f"{self.size / 1e3:.1f} kB"
        return f"{self.path:<34} {size if self.size < 1e6 else f'{self.size / 1e6:.1f} MB':>9}  sha256 {self.sha256}"


@dataclass(frozen=True)
class Pushed:
    """The outcome of a push: `note` says it in one line, `ok` is False where `findings` prevented it."""

    note: str
    folder: Path | None = None
    files: tuple[UploadFile, ...] = ()
    repo: str | None = None
    pushed: bool = False
    commit: str | None = None
    url: str | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        return not any(finding.severity == "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the object that `pairforge push --json` prints."""
        return {
            "command": "push",
            "ok": self.ok,
            "pushed": self.pushed,
            "repo": self.repo,
            "commit": self.commit,
            "url": self.url,
            "folder": str(self.folder) if self.folder else None,
            "note": self.note,
            "findings": [finding.as_json() for finding in self.findings],
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.findings:
            rows = [("set" if f.row is None else str(f.row), f.path, f.code, f.message) for f in self.findings]
            yield table("", ("row", "path", "code", "error"), rows)
        yield visible(self.note)


@dataclass(frozen=True)
class _Source:
    """The pairs to push, not yet checked (a row that can't be read is a Skip).

    `run` is the content of the `run.json` that they come from, empty for pairs that were not made by a run; `parent` is
    the folder in which the dataset is built.
    """

    rows: list[Any]
    run: dict[str, Any]
    parent: Path

    @property
    def folder(self) -> Path:
        """The folder of the dataset; rows that were not made by a run get one named by their content."""
        return (self.parent if self.run else self.parent / f"push-{digest(self.rows, 10)}") / "hub"

    @property
    def pocket(self) -> bool:
        """True if the bundled pocket model made any of them."""
        bundled = resource("data", "pocket").resolve()
        models = {str(row.get("model", "")) for row in self.rows} | {str(self.run.get("settings", {}).get("model", ""))}
        return any(model == "pocket" or (model and Path(model).resolve() == bundled) for model in models)


@keywords(PushOptions)
def push(options: PushOptions) -> Pushed:
    """Build a dataset and its card from pairs, show them on stderr, and upload them to `repo` in one commit.

    `data` is a run folder, a file of pairs, rows, or None for the latest run. Pairs with errors, or with what looks
    like a secret, are not built: see `findings` of the result. Without `repo`, without a login or with `dry_run`
    nothing leaves the machine. `private` also refuses a public dataset; `yes` deletes no file, but replaces the card.

    Raises:
        InputError: an argument, a file or the target can't be used.
        OutsideError: the Hub or the network refuses.
    """
    repo, license = options.repo, options.license
    if repo is not None:
        hub.check_repo(repo)
    if license is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,40}", license):
        raise InputError(f"--license {visible(license)!r} is not the id of a licence", fix="e.g. --license apache-2.0")
    given = PairInput(options.data, options.output, make=True, quiet=options.quiet)
    run, rows = given.run, [dict(row) if isinstance(row, Mapping) else row for row in given.presented()]
    content = {"command": run.command, "settings": run.settings, "counts": run.counts} if run else {}
    source = _Source(rows, content, run.path if run else out_dir(options.output))
    findings = tuple(finding for finding in checks.check(source.rows) if finding.severity == "error")
    look = SecretChecker().see
    findings += tuple(one for index, row in enumerate(source.rows) for one in look(index, row))
    findings += tuple(look(None, {"settings": source.run.get("settings")}))
    if findings:
        return Pushed(f"not pushed: {len(findings)} errors in the pairs", repo=repo, findings=findings)
    files = _build(source, repo, license)
    if not options.quiet:
        terminal().print(preview(source.folder, files), markup=False)
    flag = " --allow-pocket" if source.pocket and not options.allow_pocket else ""
    how = f"pairforge push --repo {repo or 'YOUR-NAME/YOUR-DATASET'}{flag}"
    if repo is None or options.dry_run:
        return Pushed(f"built, not uploaded; to upload: {how}", source.folder, files, repo)
    if not hub.logged_in():
        return Pushed(f"built, not uploaded: no login; hf auth login, then {how}", source.folder, files, repo)
    if flag:
        raise InputError(
            "these pairs were made by the bundled pocket model: figures on it are not figures of a real model",
            fix="make pairs with --model, or add --allow-pocket",
        )
    commit = hub.upload(source.folder, repo, private=options.private, yes=options.yes)
    note = f"pushed to {commit.url}" if commit.new else f"already up to date: {commit.url}"
    return Pushed(note, source.folder, files, repo, commit.new, commit.sha, commit.url)


def preview(folder: Path, files: Iterable[UploadFile]) -> str:
    """Return the list of files with sizes and digests, and the first lines of the card below its header."""
    lines = [str(folder), *(f"  {file}" for file in files)]
    header, _, body = (folder / hub.CARD_FILE).read_text(encoding="utf-8").partition("\n---\n")
    lines += ["", *(f"  | {line}" for line in body.strip().splitlines()[:_CARD_LINES]), "  | ..."]
    if "\nlicense: " not in header:
        lines += ["", "no licence is given: --license ID, e.g. apache-2.0"]
    return visible("\n".join(lines))


def _build(source: _Source, repo: str | None, license: str | None) -> tuple[UploadFile, ...]:
    """Write data and card, each atomically; the same pairs and settings give the same bytes."""
    data, readme = source.folder / hub.DATA_FILE, source.folder / hub.CARD_FILE
    dataset = formats.to_dataset(source.rows)
    with write_errors(data):
        data.parent.mkdir(parents=True, exist_ok=True)
        formats.write_parquet(source.rows, data)
    text = card.render(
        dataset.to_list(),
        source.run,
        features=dataset.features,
        data_file=hub.DATA_FILE,
        data_sha256=hashlib.sha256(data.read_bytes()).hexdigest(),
        license=license,
        repo=repo,
        pocket=source.pocket,
    )
    write_atomic(readme, text)
    contents = {hub.CARD_FILE: readme.read_bytes(), hub.DATA_FILE: data.read_bytes()}
    return tuple(
        UploadFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()
    )
