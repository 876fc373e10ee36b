"""push: build a dataset with a card from pairs, show it, and upload it to the Hub in one commit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import checks, dataset_card, formats, hub
from ..checks.secrets import SecretChecker
from ..console import note, table
from ..disk import write_atomic, write_errors
from ..errors import InputError
from ..options import PushOptions, keywords
from ..resources import resource
from ..run import Run, out_dir
from ..text import visible
from ..types import Finding, digest
from .correct import default_run
from .inputs import PairInput

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
    """The outcome of a push: `note` says it in one line, `ok` is False where `findings` prevented it."""

    note: str
    folder: Path | None = None
    files: tuple[BuiltFile, ...] = ()
    repo: str | None = None
    pushed: bool = False
    commit: str | None = None
    url: str | None = None
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
        return said | {"findings": [finding.as_json() for finding in self.findings]}

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        if self.findings:
            rows = [(str("set" if f.row is None else f.row), f.path, f.code, f.message) for f in self.findings]
            yield table("", ("row", "path", "code", "error"), rows)
        yield visible(self.note)


@keywords(PushOptions)
def push(options: PushOptions) -> PushOutcome:
    """Build a dataset and its card from pairs, show them on stderr, and upload them to `repo` in one commit.

    Pairs with errors, or with what looks like a secret, are not built: see `findings` of the result. Without a login
    nothing leaves the machine.

    Raises:
        InputError: an argument, a file or the target can't be used.
        OutsideError: the Hub or the network refuses.
    """
    if options.repo is not None:
        hub.check_repo(options.repo)
    if options.license is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,40}", options.license):
        raise InputError(
            f"--license {visible(options.license)!r} is not the id of a licence", fix="e.g. --license apache-2.0"
        )
    data = default_run(options.output, options.quiet) if options.data is None else options.data
    source = PairInput(data, options.output, quiet=options.quiet, columns=options.columns)
    run, rows = source.run, [dict(row) if isinstance(row, Mapping) else row for row in source.pairs()]
    errors = (finding for finding in checks.check(rows) if finding.severity == "error")
    look = SecretChecker().see
    leaked = [one for index, row in enumerate(rows) for one in look(index, row)]
    findings = (*errors, *leaked, *look(None, {"settings": run.settings if run else None}))
    if findings:
        return PushOutcome(f"not pushed: {len(findings)} errors in the pairs", repo=options.repo, findings=findings)
    models = {str(record.get("model") or "") for record in (*rows, run.settings if run else {})} - {""}
    bundled = resource("data", "pocket").resolve()
    pocket = any(model == "pocket" or Path(model).resolve() == bundled for model in models)
    folder = (run.path if run else out_dir(options.output) / f"push-{digest(rows, 10)}") / "hub"
    files = _build(folder, rows, run, license=options.license, repo=options.repo, pocket=pocket)
    if not options.quiet:
        note(preview(folder, files))
    flag = " --allow-pocket" if pocket and not options.allow_pocket else ""
    how = f"pairforge push --repo {options.repo or 'YOUR-NAME/YOUR-DATASET'}{flag}"
    built = PushOutcome(f"built, not uploaded; to upload: {how}", folder, files, options.repo)
    if options.repo is None or options.dry_run:
        return built
    if not hub.logged_in():
        return replace(built, note=f"built, not uploaded: no login; hf auth login, then {how}")
    if flag:
        raise InputError(_POCKET, fix="make pairs with --model, or add --allow-pocket")
    commit = hub.upload(folder, options.repo, private=options.private, yes=options.yes)
    line = f"pushed to {commit.url}" if commit.new else f"already up to date: {commit.url}"
    return replace(built, note=line, pushed=commit.new, commit=commit.sha, url=commit.url)


def preview(folder: Path, files: Iterable[BuiltFile]) -> str:
    """Return the list of files with sizes and digests, and the first lines of the card below its header."""
    from rich.filesize import decimal

    lines = [str(folder), *(f"  {file.path:<34} {decimal(file.size):>9}  sha256 {file.sha256}" for file in files)]
    header, _, body = (folder / hub.CARD_FILE).read_text(encoding="utf-8").partition("\n---\n")
    lines += ["", *(f"  | {line}" for line in body.strip().splitlines()[:10]), "  | ..."]
    if "\nlicense: " not in header:
        lines += ["", "no licence is named: --license ID, e.g. apache-2.0"]
    return visible("\n".join(lines))


def _build(folder: Path, rows: list[Any], run: Run | None, **card_fields: Any) -> tuple[BuiltFile, ...]:
    """Write data and card, each atomically; the same pairs and settings give the same bytes."""
    data, readme = folder / hub.DATA_FILE, folder / hub.CARD_FILE
    dataset = formats.to_dataset(rows)
    with write_errors(data):
        data.parent.mkdir(parents=True, exist_ok=True)
        formats.write_parquet(rows, data)
    text = dataset_card.render(
        dataset.to_list(),
        {"command": run.command, "settings": run.settings, "counts": run.counts} if run else {},
        features=dataset.features,
        data_file=hub.DATA_FILE,
        data_sha256=BuiltFile.of(hub.DATA_FILE, data).sha256,
        **card_fields,
    )
    write_atomic(readme, text)
    return BuiltFile.of(hub.CARD_FILE, readme), BuiltFile.of(hub.DATA_FILE, data)
