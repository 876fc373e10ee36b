"""`push`: pairs to a data set with a card, shown before it goes, then to the Hub in one commit."""

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
from ..resources import resource
from ..run import out_dir
from ..text import byte_size, visible
from ..types import Finding, digest
from .inputs import PairData, PairInput

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_CARD_LINES = 10


@dataclass(frozen=True)
class File:
    """One file of the data set: its path in the repository, bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Pushed:
    """What became of a push. `ok` is False where findings refused it; `note` says the outcome in one line."""

    note: str
    folder: Path | None = None
    files: tuple[File, ...] = ()
    repo: str | None = None
    pushed: bool = False
    commit: str | None = None
    url: str | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        return not any(finding.severity == "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The object that `pairforge push --json` prints."""
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
            places = ((str(f.row) if f.row is not None else "set", f.path) for f in self.findings)
            rows = [(row, path, f.code, f.message) for (row, path), f in zip(places, self.findings, strict=True)]
            yield table("", ("row", "path", "code", "error"), rows)
        yield visible(self.note)


@dataclass(frozen=True)
class _Source:
    """Pairs to push, unchecked (a row that can't be read is a Skip), the content of the `run.json` that they come from,
    empty where no run made them, and the folder that the data set is built under.
    """

    rows: list[Any]
    run: dict[str, Any]
    parent: Path

    @property
    def folder(self) -> Path:
        """Where the data set is built; rows that no run made get a folder by their content."""
        return (self.parent if self.run else self.parent / f"push-{digest(self.rows, 10)}") / "hub"

    @property
    def pocket(self) -> bool:
        """Whether the bundled pocket model made any of them."""
        bundled = resource("data", "pocket").resolve()
        models = {str(row.get("model", "")) for row in self.rows} | {str(self.run.get("settings", {}).get("model", ""))}
        return any(model == "pocket" or (model and Path(model).resolve() == bundled) for model in models)


def push(
    data: PairData = None,
    *,
    repo: str | None = None,
    license: str | None = None,
    private: bool = True,
    dry_run: bool = False,
    allow_pocket: bool = False,
    yes: bool = False,
    output: str | None = None,
    quiet: bool = False,
) -> Pushed:
    """Build a data set and its card from pairs, show them on stderr, and upload them to `repo` in one commit.

    `data` is a run folder, a file of pairs, rows, or None for the latest run. Without `repo`, without a login or with
    `dry_run` nothing leaves the machine. `private` makes a new dataset private and refuses one that is public; `yes`
    allows one that holds files of others (none is deleted, its card is replaced); `allow_pocket` allows pairs made by
    the bundled pocket model. Pairs with errors, or with what looks like a secret, aren't built: see `findings`.

    Raises InputError for arguments, files and targets that can't be used, OutsideError for what Hub or network refuse.
    """
    if repo is not None:
        hub.check_repo(repo)
    if license is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,40}", license):
        raise InputError(f"--license {visible(license)!r} is no licence id", fix="e.g. --license apache-2.0")
    given = PairInput(data, output, make=True, quiet=quiet)
    run, rows = given.run, [dict(row) if isinstance(row, Mapping) else row for row in given.presented()]
    content = {"command": run.command, "settings": run.settings, "counts": run.counts} if run else {}
    source = _Source(rows, content, run.path if run else out_dir(output))
    findings = tuple(finding for finding in checks.check(source.rows) if finding.severity == "error")
    look = SecretChecker().see
    findings += tuple(one for index, row in enumerate(source.rows) for one in look(index, row))
    findings += tuple(look(None, {"settings": source.run.get("settings")}))
    if findings:
        return Pushed(f"not pushed: {len(findings)} errors in the pairs", repo=repo, findings=findings)
    files = _build(source, repo, license)
    if not quiet:
        terminal().print(preview(source.folder, files), markup=False)
    flag = " --allow-pocket" if source.pocket and not allow_pocket else ""
    how = f"pairforge push --repo {repo or 'YOUR-NAME/YOUR-DATASET'}{flag}"
    if repo is None or dry_run:
        return Pushed(f"built, not uploaded; to upload: {how}", source.folder, files, repo)
    if not hub.logged_in():
        return Pushed(f"built, not uploaded: no login; hf auth login, then {how}", source.folder, files, repo)
    if flag:
        raise InputError(
            "these pairs were made by the bundled pocket model: figures on it are not figures of a real model",
            fix="make pairs with --model, or add --allow-pocket",
        )
    commit = hub.upload(source.folder, repo, card.stamp, private=private, yes=yes)
    note = f"pushed to {commit.url}" if commit.new else f"already up to date: {commit.url}"
    return Pushed(note, source.folder, files, repo, commit.new, commit.sha, commit.url)


def preview(folder: Path, files: Iterable[File]) -> str:
    """The tree with sizes and hashes, and the first lines of the card below its header."""
    lines = [str(folder), *(f"  {file.path:<34} {byte_size(file.size):>9}  sha256 {file.sha256}" for file in files)]
    header, _, body = (folder / hub.CARD_FILE).read_text(encoding="utf-8").partition("\n---\n")
    lines += ["", *(f"  | {line}" for line in body.strip().splitlines()[:_CARD_LINES]), "  | ..."]
    if "\nlicense: " not in header:
        lines += ["", "no licence is named: --license ID, e.g. apache-2.0"]
    return visible("\n".join(lines))


def _build(source: _Source, repo: str | None, license: str | None) -> tuple[File, ...]:
    """Write data and card, each whole; the same pairs and settings give the same bytes."""
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
        data_sha256=_sha256(data),
        license=license,
        repo=repo,
        pocket=source.pocket,
    )
    write_atomic(readme, text)
    made = {hub.CARD_FILE: readme, hub.DATA_FILE: data}
    return tuple(File(name, path.stat().st_size, _sha256(path)) for name, path in made.items())


def _sha256(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(2**20), b""):
            total.update(block)
    return total.hexdigest()
