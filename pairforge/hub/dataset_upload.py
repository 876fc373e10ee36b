"""Upload a built data set to the Hub: one commit, private by default, nothing of others lost without a word."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..console import note
from ..disk import sha256_of
from ..errors import InputError, OutsideError
from ..formats.target_formats import dataset_info
from ..text import byte_size, escaped, first_few, plural
from . import croissant, dataset_card, manifest
from .data_files import read_back
from .manifest import DataConfig, DataFile, DataSplit, Manifest, canonical
from .repository import Commit, Head, Repository, api_failures, connected, reason_of

if TYPE_CHECKING:
    from huggingface_hub import CommitOperation

CARD_FILE, DATA_FOLDER = "README.md", "data"
"""The files of the default config are in `data/`, as `push_to_hub` has them, those of others in a folder so called."""
TRAINER_FILE = "dataset_info.json"
_OLD_FILE = "data/train-00000-of-00001.parquet"  # of a version that wrote no manifest
_HUB_MADE = {".gitattributes"}
_MESSAGE = "Preference pairs built with pairforge"
_SHOWN = 5


@dataclass(frozen=True)
class RowChanges:
    """What a push does to the rows of a dataset: the ids of those that go or change (digests of rows without an id)."""

    added: int = 0
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @classmethod
    def between(cls, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> RowChanges:
        """Return what differs between rows, given as digests by id."""
        removed = tuple(name for name in old if name not in new)
        changed = tuple(name for name in new if name in old and old[name] != new[name])
        return cls(sum(name not in old for name in new), removed, changed)

    def __add__(self, other: RowChanges) -> RowChanges:
        return RowChanges(self.added + other.added, self.removed + other.removed, self.changed + other.changed)

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


@dataclass(frozen=True)
class BuiltDataset:
    """A folder with a data set as it is uploaded to a new repository; its default config is in `data/`."""

    folder: Path
    manifest: Manifest

    def at(self, directories: Mapping[str, str]) -> Manifest:
        """Return the manifest with the files of the configs in these folders of the repository."""
        moved = {name: _moved(config, directories[name]) for name, config in self.manifest.configs.items()}
        return replace(self.manifest, configs=moved)


def check_right(repo: str) -> None:
    """Ask the Hub whether the token may write to a dataset; one that is missing may be made. Raises OutsideError."""
    from huggingface_hub.errors import RepositoryNotFoundError

    with connected(repo, "dataset", quiet=True) as target, suppress(RepositoryNotFoundError):
        target.check_write()


@dataclass
class DatasetUpload:
    """One push of a built data set to one dataset of the Hub; its other configs stay as they are.

    Args:
        private: create the dataset as a private one, and refuse one that is public.
        yes: allow a target with files that pairforge didn't make, and with rows that are not in the data or differ.
        confirm: asks whether that may be done; without it, and without `yes`, it is refused.
        revision: the branch, which is made where it is missing; by default main.
        create_pr: open a pull request, or add a commit to the one that is open under this message.
        tag: a name for the commit; one that is there is never moved.
    """

    built: BuiltDataset
    repo: str
    private: bool = True
    yes: bool = False
    quiet: bool = False
    confirm: Callable[[str], bool] | None = None
    revision: str | None = None
    create_pr: bool = False
    tag: str | None = None
    message: str | None = None
    changes: RowChanges = field(default_factory=RowChanges, init=False)
    unread: str = field(default="", init=False)
    _seen: dict[str, _There] = field(default_factory=dict, init=False)

    def run(self) -> Commit:
        """Upload in one commit, unless the head holds this content already.

        Then `changes` says what it did, and `unread` why the rows could not be read back, if they couldn't.

        Raises:
            InputError: the target may not be written to without `yes` or `private=False`; the tag names another commit.
            OutsideError: the Hub refuses, or the network fails; the message describes the head at that moment.
        """
        message = self.message or _MESSAGE
        with connected(self.repo, "dataset", quiet=self.quiet, revision=self.revision) as target:
            if self.create_pr:
                target = target.of_pull_request(message)
            else:
                target.make_writable(self.private)
                target.make_branch()
            tagged = target.tagged(self.tag) if self.tag else None
            made = target.commit(
                lambda head: self._plan(self._there(target, head), tagged),
                lambda head: self._there(target, head).holds(self.built),
                message,
            )
            try:
                self.unread = self._read_back(target, made.sha) if made.new else ""
                if self.tag and tagged != made.sha:
                    self._refuse_tag(tagged)
                    target.make_tag(self.tag, made.sha)
            except api_failures() as error:
                what = f"{made.url} holds what was pushed, but the tag {self.tag} was not made: {reason_of(error)}"
                raise OutsideError(what, fix="run the same command again") from error
            return made

    def compare(self) -> PushComparison:
        """Compare with what the dataset holds, without a writing request. Raises as `run` does."""
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        with connected(self.repo, "dataset", quiet=self.quiet, revision=self.revision) as target:
            try:
                head = target.head()
            except (RepositoryNotFoundError, RevisionNotFoundError):
                changes = RowChanges(added=sum(config.rows for config in self.built.manifest.configs.values()))
                kind = "private" if self.private else "public"
                return PushComparison(f"{self.repo} would be made, {kind}: {changes}{self._size(None)}", changes)
            there = self._there(target, head)
            if there.holds(self.built):
                return PushComparison(f"{self.repo} holds these pairs already, at {head.sha[:7]}", RowChanges())
            changes = self._changes(there)
            refusals, _ = self._refusals(there, changes)
            texts = there.texts(there.placed(self.built), self.repo)
        parts = dataset_card.changed_parts(texts[CARD_FILE], there.card)
        card = f"the card changes: {', '.join(parts)}" if parts else "the card stays"
        text = f"{self.repo} at {head.sha[:7]}: {changes}; {card if there.card else 'a card would be added'}"
        if gone := there.gone(self.built):
            text += f"; without the config {', '.join(gone)}, which this push lacks"
        splits = [f"{config} {split} {old} -> {new}" for config, split, old, new in self._splits(there) if old != new]
        if splits:
            text += f"; rows by split: {', '.join(splits)}"
        return PushComparison(text + self._size(there), changes, refusals)

    def _size(self, there: _There | None) -> str:
        held = there.head.files if there else {}
        files = self.built.manifest.files if there is None else there.placed(self.built).files
        total = sum(file.bytes for file in files if held.get(file.path) != file.sha256)
        return f"; {byte_size(total)} of data to upload at most"

    def _splits(self, there: _There) -> Iterator[tuple[str, str, int, int]]:
        """Yield each split of the configs, with the rows that it has and will have."""
        for name, config in self.built.manifest.configs.items():
            old = there.configs[name].splits if name in there.configs else {}
            for split in {**old, **config.splits}:
                rows = [held[split].rows if split in held else 0 for held in (old, config.splits)]
                yield name, split, rows[0], rows[1]

    def _changes(self, there: _There) -> RowChanges:
        """Return what the push changes in the rows of its configs; a file there that is not Parquet holds none."""
        import pyarrow

        found = RowChanges()
        for name, config in self.built.manifest.configs.items():
            old = there.configs.get(name)
            if old is not None and old.digest == config.digest and there.has(old):
                continue
            if old is None:
                found += RowChanges(added=config.rows)
                continue
            new = _digests(self.built.folder / file.path for file in config.files)
            with TemporaryDirectory() as folder:
                paths = (file.path for file in old.files if file.path in there.head.files)
                got = (there.target.download(path, there.head, Path(folder)) for path in paths)
                try:
                    found += RowChanges.between(_digests(got), new)
                except pyarrow.ArrowException:
                    found += RowChanges(added=config.rows)
        return found

    def _there(self, target: Repository, head: Head) -> _There:
        default = self.built.manifest.default
        return self._seen.setdefault(head.sha, _There(target, head, default))

    def _plan(self, there: _There, tagged: str | None) -> list[CommitOperation]:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        self._refuse_tag(tagged)
        self.changes = self._changes(there)
        refusals, fix = self._refusals(there, self.changes)
        if refusals and (self.confirm is None or self._is_public(there) or not self.confirm("; ".join(refusals))):
            raise InputError("; ".join(refusals), fix=fix)
        if (gone := there.gone(self.built)) and not self.quiet:
            note(f"the config {', '.join(gone)} of an earlier push goes: this one lacks it")
        placed = there.placed(self.built)
        local = {
            new: self.built.folder / old
            for name, config in self.built.manifest.configs.items()
            for new, old in zip(placed.configs[name].digests, config.digests, strict=True)
        }
        texts = {path: text for path, text in there.texts(placed, self.repo).items() if there.held(path) != text}
        made = [
            CommitOperationAdd(path_in_repo=path, path_or_fileobj=local[path])
            for path, digest in placed.digests.items()
            if path in local and there.head.files.get(path) != digest
        ]
        built = {file.path: file.sha256 for file in placed.files}
        data = [one for one in made if one.path_in_repo in built]
        if other := next(
            (one.path_in_repo for one in data if one.upload_info.sha256.hex() != built[one.path_in_repo]), ""
        ):
            raise InputError(f"{local[other]} was changed after it was built", fix="run the same command again")
        made += [CommitOperationAdd(path_in_repo=path, path_or_fileobj=text.encode()) for path, text in texts.items()]
        stale = {path for config in there.configs.values() for path in config.digests} & there.head.files.keys()
        stale -= placed.digests.keys()
        return [*made, *(CommitOperationDelete(path_in_repo=path) for path in sorted(stale))]

    def _refuse_tag(self, tagged: str | None) -> None:
        if tagged:
            what = f"the tag {self.tag} of {self.repo} is at {tagged[:7]}, another commit, and a tag is never moved"
            raise InputError(what, fix="choose another --tag")

    def _is_public(self, there: _There) -> bool:
        return self.private and not there.head.private

    def _refusals(self, there: _There, changes: RowChanges) -> tuple[tuple[str, ...], str]:
        """Return why the head may not be written to as things are, and what to do."""
        if self._is_public(there):
            return (f"{self.repo} is public on the Hub",), "push there with --public, or to another --repo"
        if self.yes:
            return (), ""
        found = [f"the config {name} of {self.repo} would be removed" for name in there.gone(self.built)]
        if foreign := there.foreign:
            names = first_few([*map(escaped, foreign)], _SHOWN)
            found.append(f"{self.repo} holds files that pairforge didn't make: {names}")
        for ids, what in ((changes.removed, "would be removed"), (changes.changed, "would be changed")):
            if ids:
                names = first_few([escaped(name[:40]) for name in ids], 3)
                found.append(f"{plural(len(ids), 'row')} of {self.repo} {what}: {names}")
        return tuple(found), "choose another --repo, or add --yes to replace card and rows; no other file is deleted"

    def _read_back(self, target: Repository, sha: str) -> str:
        """Read the rows back, and return why that can't be done. Raises OutsideError where they are others."""
        head = Head(sha, self.private, {})
        try:
            held = Manifest.read(target.text(manifest.FILE, head), self.repo)
            for name, config in self.built.manifest.configs.items():
                theirs = held.configs.get(name)
                if (
                    theirs is None
                    or theirs.digest != config.digest
                    or not all(self._is_whole(target, file, head) for file in theirs.files)
                ):
                    what = f"{name} of {self.repo} at {sha[:7]} holds other rows than were pushed"
                    raise OutsideError(what, fix="run the same command again")
        except api_failures() as error:
            return reason_of(error)
        return ""

    @staticmethod
    def _is_whole(target: Repository, file: DataFile, head: Head) -> bool:
        import pyarrow.parquet

        with TemporaryDirectory() as folder:
            path = target.download(file.path, head, Path(folder))
            return sha256_of(path) == file.sha256 and pyarrow.parquet.read_metadata(path).num_rows == file.rows


def _digests(files: Iterable[Path]) -> dict[str, bytes]:
    """Return the digest of each row by the row's id; a row without one is its own id."""
    found: dict[str, bytes] = {}
    for row in chain.from_iterable(map(read_back, files)):
        value = hashlib.sha256(canonical(row)).digest()[:16]
        name = str(row.get("id") or row.get("prompt_id") or value.hex())
        found[name if name not in found else f"{name} {value.hex()}"] = value
    return found


def _moved(config: DataConfig, directory: str) -> DataConfig:
    splits = {
        name: replace(
            split, files=tuple(replace(one, path=f"{directory}/{one.path.split('/')[-1]}") for one in split.files)
        )
        for name, split in config.splits.items()
    }
    return replace(config, splits=splits)


def _content(config: DataConfig) -> DataConfig:
    """Return a config without its files, whose bytes depend on the version of pyarrow."""
    return replace(config, splits={name: DataSplit(split.rows, ()) for name, split in config.splits.items()})


@dataclass(frozen=True)
class _There:
    """What a dataset holds at one commit; `default` is the config that a file without a manifest is."""

    target: Repository
    head: Head
    default: str

    def held(self, path: str) -> str | None:
        """Return the text of a file, if it is there."""
        return self._texts.get(path)

    @cached_property
    def _texts(self) -> dict[str, str]:
        names = [name for name in (CARD_FILE, manifest.FILE, croissant.FILE, TRAINER_FILE) if name in self.head.files]
        return {name: self.target.text(name, self.head) for name in names}

    @property
    def card(self) -> str:
        """The text of the card, empty where there is none."""
        return self.held(CARD_FILE) or ""

    @cached_property
    def manifest(self) -> Manifest | None:
        if (text := self.held(manifest.FILE)) is not None:
            return Manifest.read(text, self.target.name)
        if dataset_card.stamp(self.card) and _OLD_FILE in self.head.files:
            file = DataFile(_OLD_FILE, 0, 0, self.head.files[_OLD_FILE])
            return Manifest({self.default: DataConfig("pairs", 0, "", {"train": DataSplit(0, (file,))})}, self.default)
        return None

    @property
    def configs(self) -> Mapping[str, DataConfig]:
        return self.manifest.configs if self.manifest else {}

    def has(self, config: DataConfig) -> bool:
        """Return True if the files of a config are there as its manifest says."""
        return all(self.head.files.get(path) == digest for path, digest in config.digests.items())

    def placed(self, built: BuiltDataset) -> Manifest:
        """Return the manifest that the dataset gets: the configs that are built, and those that are there."""
        default = self.manifest.default if self.manifest else built.manifest.default
        directories = {name: DATA_FOLDER if name == default else name for name in built.manifest.configs}
        kept = {name: config for name, config in self.configs.items() if name not in self.gone(built)}
        return Manifest({**kept, **built.at(directories).configs}, default).as_read()

    def gone(self, built: BuiltDataset) -> list[str]:
        """Return the configs of all answers whose pairs the push replaces, while it has no answers itself."""
        replaced = {config.evidence for name, config in self.configs.items() if name in built.manifest.configs}
        kept = {config.evidence for name, config in self.configs.items() if name not in built.manifest.configs}
        named = (replaced - kept) & self.configs.keys() - built.manifest.configs.keys()
        return sorted(name for name in named if name and self.configs[name].kind == "candidates")

    def texts(self, placed: Manifest, repo: str) -> dict[str, str]:
        """Return the files that follow from the manifest."""
        card = dataset_card.with_own_parts(dataset_card.render(placed, repo), self.card)
        texts = {CARD_FILE: card, manifest.FILE: placed.text(), croissant.FILE: croissant.text(placed, repo)}
        return {**texts, **_for_trainers(placed, repo)}

    def holds(self, built: BuiltDataset) -> bool:
        """Return True if these rows are there, made in this way, with the card that says so."""
        for name, config in built.manifest.configs.items():
            old = self.configs.get(name)
            if old is None or _content(old) != _content(config) or not self.has(old):
                return False
        assert self.manifest
        ours, there = (
            dataset_card.stamp(text) for text in (dataset_card.render(self.manifest, self.target.name), self.card)
        )
        return ours is not None and there is not None and ours.card == there.card

    @property
    def foreign(self) -> list[str]:
        """The files that pairforge didn't make, and its own card if that was edited since."""
        mark = dataset_card.stamp(self.card)
        ours = {path for config in self.configs.values() for path in config.digests}
        if self.manifest:
            ours |= {manifest.FILE, croissant.FILE, TRAINER_FILE}
        if mark and not mark.edited:
            ours.add(CARD_FILE)
        return sorted(self.head.files.keys() - ours - _HUB_MADE)


def _for_trainers(placed: Manifest, repo: str) -> dict[str, str]:
    """Return the file in which LLaMA-Factory finds its configs, where there is one."""
    entries: dict[str, Any] = {}
    for name, config in placed.configs.items():
        if config.kind == "llamafactory":
            [entry] = dataset_info(Path(name), [str(one["name"]) for one in config.features]).values()
            entry.pop("file_name")
            entries[name] = {"hf_hub_url": repo, "subset": name, **entry}
    return {TRAINER_FILE: json.dumps(entries, indent=2, sort_keys=True) + "\n"} if entries else {}
