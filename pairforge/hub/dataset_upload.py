"""Upload built pairs to a dataset on the Hub: one commit, private by default, nothing of others lost without a word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..text import byte_size, escaped, plural, visible
from ..types import digest
from .dataset_card import Stamp, stamp, with_own_parts
from .repository import Commit, Head, Repository, connected

if TYPE_CHECKING:
    from huggingface_hub import CommitOperation

CARD_FILE, DATA_FILE = "README.md", "data/train-00000-of-00001.parquet"
_MADE, _HUB_MADE = {CARD_FILE, DATA_FILE}, {".gitattributes"}
_MESSAGE = "Preference pairs built with pairforge"
_SHOWN = 5


@dataclass(frozen=True)
class RowChanges:
    """What a push does to the rows of a dataset: the ids of those that go or change (digests of rows without an id)."""

    added: int = 0
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @classmethod
    def between(cls, old: Mapping[str, str], new: Mapping[str, str]) -> RowChanges:
        """Return what differs between rows, given as digests by id."""
        removed = tuple(name for name in old if name not in new)
        changed = tuple(name for name in new if name in old and old[name] != new[name])
        return cls(sum(name not in old for name in new), removed, changed)

    def __str__(self) -> str:
        return f"{plural(self.added, 'row')} added, {len(self.removed)} removed, {len(self.changed)} changed"

    def as_json(self) -> dict[str, Any]:
        """Return the number of added rows, and the ids of the others."""
        return {"added": self.added, "removed": [*self.removed], "changed": [*self.changed]}


@dataclass(frozen=True)
class PushComparison:
    """What a push would do: `refusals` are the reasons for which it asks for --yes or --public."""

    text: str
    changes: RowChanges
    refusals: tuple[str, ...] = ()


def check_repo(repo: str) -> None:
    """Check that a name can be the id of a dataset: OWNER/NAME in the Hub's alphabet. Raises InputError."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        inside = re.fullmatch(r"(?:https?://[^/]+/)?(?:datasets/)?([\w.-]+/[\w.-]+)/?", repo)
        fix = f"use {inside[1]}" if inside and inside[1] != repo else "use OWNER/NAME"
        raise InputError(f"--repo {visible(repr(repo))} can't be a dataset's id", fix=fix) from error
    if "/" not in repo:
        raise InputError(f"--repo {repo} has no owner", fix=f"use YOUR-NAME/{repo}")


@dataclass
class DatasetUpload:
    """One push of the card and the data in `folder` to one dataset.

    Args:
        private: create the dataset as a private one, and refuse one that is public.
        yes: allow a target with files that pairforge didn't make, and with rows that are not in the data or differ; no
            file is deleted.
    """

    folder: Path
    repo: str
    private: bool = True
    yes: bool = False
    quiet: bool = False
    changes: RowChanges = field(default_factory=RowChanges, init=False)
    _seen: dict[str, _There] = field(default_factory=dict, init=False)

    def run(self) -> Commit:
        """Upload in one commit, unless the head holds these pairs already; `changes` then says what it did.

        Raises:
            InputError: the target may not be written to without `yes` or `private=False`.
            OutsideError: the Hub refuses, or the network fails; the message describes the head at that moment.
        """
        wanted = self._wanted
        with connected(self.repo, "dataset", quiet=self.quiet) as target:
            target.make_writable(self.private)
            return target.commit(
                lambda head: self._plan(self._there(target, head)),
                lambda head: self._there(target, head).holds(wanted),
                _MESSAGE,
            )

    def compare(self) -> PushComparison:
        """Compare with what the dataset holds, without a writing request. Raises as `run` does."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with connected(self.repo, "dataset", quiet=self.quiet) as target:
            try:
                head = target.head()
            except RepositoryNotFoundError:
                changes = RowChanges(added=self._count)
                kind = "private" if self.private else "public"
                return PushComparison(f"{self.repo} would be made, {kind}: {changes}{self._size}", changes)
            there = self._there(target, head)
            if there.holds(self._wanted):
                return PushComparison(f"{self.repo} holds these pairs already, at {head.sha[:7]}", RowChanges())
            changes = self._changes(there)
            refusals, _ = self._refusals(there, changes)
        text = f"{self.repo} at {head.sha[:7]}: {changes}; the card would be {'replaced' if there.card else 'added'}"
        return PushComparison(text + self._size, changes, refusals)

    @property
    def _size(self) -> str:
        return f"; {byte_size(sum((self.folder / name).stat().st_size for name in _MADE))} to upload at most"

    @cached_property
    def _wanted(self) -> Stamp:
        mark = stamp((self.folder / CARD_FILE).read_text(encoding="utf-8"))
        if mark is None:
            raise InputError(
                f"{self.folder / CARD_FILE} isn't a card of pairforge's", fix="build it again with pairforge push"
            )
        return mark

    @property
    def _count(self) -> int:
        import pyarrow.parquet

        return int(pyarrow.parquet.read_metadata(self.folder / DATA_FILE).num_rows)

    @cached_property
    def _rows(self) -> dict[str, str]:
        return digests(self.folder / DATA_FILE)

    def _changes(self, there: _There) -> RowChanges:
        """Return what the push changes in the rows; a file there that is not Parquet holds none."""
        import pyarrow

        if there.data is None:
            return RowChanges(added=self._count)
        if there.stamp and (there.stamp.rows, there.stamp.data) == (self._wanted.rows, there.data):
            return RowChanges()
        with TemporaryDirectory() as folder:
            file = there.target.download(DATA_FILE, there.head, Path(folder))
            try:
                return RowChanges.between(digests(file), self._rows)
            except pyarrow.ArrowException:
                return RowChanges(added=self._count)

    def _there(self, target: Repository, head: Head) -> _There:
        return self._seen.setdefault(head.sha, _There(target, head))

    def _plan(self, there: _There) -> list[CommitOperation]:
        from huggingface_hub import CommitOperationAdd

        self.changes = self._changes(there)
        refusals, fix = self._refusals(there, self.changes)
        if refusals:
            raise InputError("; ".join(refusals), fix=fix)
        card = with_own_parts((self.folder / CARD_FILE).read_text(encoding="utf-8"), there.card)
        data = CommitOperationAdd(path_in_repo=DATA_FILE, path_or_fileobj=self.folder / DATA_FILE)
        return [CommitOperationAdd(path_in_repo=CARD_FILE, path_or_fileobj=card.encode()), data]

    def _refusals(self, there: _There, changes: RowChanges) -> tuple[tuple[str, ...], str]:
        """Return why the head may not be written to as things are, and what to do."""
        if self.private and not there.head.private:
            return (f"{self.repo} is public on the Hub",), "push there with --public, or to another --repo"
        if self.yes:
            return (), ""
        found = []
        if foreign := there.foreign:
            names = ", ".join(escaped(name) for name in foreign[:_SHOWN])
            more = " ..." if len(foreign) > _SHOWN else ""
            found.append(f"{self.repo} holds files that pairforge didn't make: {names}{more}")
        for ids, what in ((changes.removed, "would be removed"), (changes.changed, "would be changed")):
            if ids:
                names = ", ".join(escaped(name[:40]) for name in ids[:3]) + (" ..." if len(ids) > 3 else "")
                found.append(f"{plural(len(ids), 'row')} of {self.repo} {what}: {names}")
        return tuple(found), "choose another --repo, or add --yes to replace card and rows; no other file is deleted"


def digests(file: Path) -> dict[str, str]:
    """Return the digest of each row of a Parquet file by the row's id; a row without one is its own id."""
    import pyarrow.parquet

    found: dict[str, str] = {}
    with pyarrow.parquet.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(batch_size=1000):
            for row in batch.to_pylist():
                present = {key: item for key, item in row.items() if item is not None}
                value = digest(present, default=str)
                name = str(row.get("id") or value)
                found[name if name not in found else f"{name} {value}"] = value
    return found


@dataclass(frozen=True)
class _There:
    """What a dataset holds at one commit; `card` is empty where it has none."""

    target: Repository
    head: Head

    @cached_property
    def card(self) -> str:
        return self.target.text(CARD_FILE, self.head) if CARD_FILE in self.head.files else ""

    @cached_property
    def stamp(self) -> Stamp | None:
        return stamp(self.card) if self.card else None

    @property
    def data(self) -> str | None:
        """The SHA-256 of the Parquet file."""
        return self.head.files.get(DATA_FILE)

    def holds(self, wanted: Stamp) -> bool:
        """Return True if these pairs and this card are there, with the Parquet bytes that the card names."""
        mark = self.stamp
        return mark is not None and (mark.rows, mark.card, mark.data) == (wanted.rows, wanted.card, self.data)

    @property
    def foreign(self) -> list[str]:
        """The files that pairforge didn't make, and its own card if that was edited since."""
        ours = set() if self.stamp is None else {DATA_FILE} if self.stamp.edited else _MADE
        return sorted(self.head.files.keys() - ours - _HUB_MADE)
