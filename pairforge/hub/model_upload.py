"""Upload a trained model to the Hub: what belongs to a model and nothing else of its folder, in one commit, private."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..console import note
from ..disk import json_object
from ..errors import InputError
from ..markdown import public_name, without_places
from ..run import TrainedModel
from ..text import escaped
from .repository import Commit, Head, Repository, connected, status_of

if TYPE_CHECKING:
    from huggingface_hub import CommitOperation

PICTURE = "training.svg"
_CARD, _HISTORY, _VERDICT = "README.md", "history.json", "verdict.json"
_INDEX = "model.safetensors.index.json"
_WEIGHTS = (
    "model.safetensors", "model-?????-of-?????.safetensors", _INDEX,
    "adapter_model.safetensors", "adapter_config.json",
)  # fmt: skip
_BESIDE = (
    "config.json", "generation_config.json", "chat_template.jinja", "tokenizer.json", "tokenizer_config.json",
    "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "tekken.json", "preprocessor_config.json", "processor_config.json",
    "video_preprocessor_config.json",
)  # fmt: skip
_REPORTS = (_CARD, _VERDICT, _HISTORY, PICTURE)
_MESSAGE = "Trained with pairforge"
_SHOWN = 8


def belongs(name: str) -> bool:
    """Return True for the name of a file that is part of a model, or of what pairforge writes about it."""
    return any(fnmatchcase(name, pattern) for pattern in (*_WEIGHTS, *_BESIDE, *_REPORTS))


@dataclass(frozen=True)
class ModelUpload:
    """One push of the model in `folder`, which a training wrote, to one repository.

    Args:
        private: create the repository as a private one, and refuse one that is public.
        token: by default that of HF_TOKEN or `hf auth login`.
        revision: the branch; by default main.
        to_public, to_other: the options that a message names for a public repository, and for another one.
    """

    folder: Path
    repo: str
    private: bool = True
    token: str | None = None
    revision: str | None = None
    quiet: bool = False
    to_public: str = "--public"
    to_other: str = "--repo"

    @property
    def names(self) -> list[str]:
        """The files of the folder that are part of the model. Raises InputError where there is no whole model.

        A symbolic link is none of them: it may lead to any file of this machine.
        """
        own = (path for path in self.folder.iterdir() if belongs(path.name) and path.is_file())
        names = sorted(path.name for path in own if not path.is_symlink())
        if why := self._not_whole(names):
            raise InputError(f"{self.folder} {why}", fix="name the folder that the training wrote")
        return names

    def _not_whole(self, names: Sequence[str]) -> str:
        """Return why these files are no model that can be published; empty where they are one."""
        weights = [name for name in names if name.endswith(".safetensors")]
        index = json_object(self.folder / _INDEX).get("weight_map")
        shards = {*map(str, index.values())} if isinstance(index, Mapping) and _INDEX in names else set()
        if not weights or not TrainedModel.at(self.folder):
            return "holds no model with weights in safetensors"
        if missing := sorted(shards.difference(weights)):
            return f"lacks {escaped(missing[0])}, which {_INDEX} names"
        if len({name.startswith("adapter") for name in weights}) > 1:
            return "holds a model and an adapter, which would be applied to it"
        wrong = next((name for name in weights if not _is_safetensors(self.folder / name)), "")
        return wrong and f"holds a {wrong} that is not in the format safetensors"

    @property
    def left_out(self) -> list[str]:
        """What else is in the folder."""
        return sorted({path.name for path in self.folder.iterdir()} - {*self.names})

    def reserve(self) -> str:
        """Make the repository, or check that it may be written to, and return its full name.

        Raises InputError and OutsideError.
        """
        from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

        name = self.repo
        with connected(name, "model", token=self.token, quiet=self.quiet) as target:
            try:
                return target.create(self.private)
            except HfHubHTTPError as error:
                # 409: it is there; 403: it may be, for a token that may write to this one and make none.
                if status_of(error) not in (403, 409):
                    raise
                if "/" not in name:
                    name = f"{target.api.whoami()['name']}/{name}"
                    target = Repository(target.api, name, "model", self.quiet)
                try:
                    target.check_write()
                except RepositoryNotFoundError:  # it is not there, and the token may not make it
                    raise error from None
            self._check_target(target, target.head())
            return name

    def run(self) -> Commit:
        """Upload in one commit, unless the head holds the files already, and name on stderr what was left out.

        Folders of this machine are left out of the files. Files of a model that was there before are deleted with the
        same commit: an adapter that stayed beside new weights would be applied to them.

        Raises InputError and OutsideError.
        """
        names, left_out = self.names, self.left_out
        with (
            TemporaryDirectory() as temporary,
            connected(self.repo, "model", token=self.token, quiet=self.quiet, revision=self.revision) as target,
        ):
            staged = {name: self._staged(self.folder / name, Path(temporary)) for name in names}
            digests = {name: _digests(path) for name, path in staged.items()}

            def plan(head: Head) -> list[CommitOperation]:
                from huggingface_hub import CommitOperationAdd, CommitOperationDelete

                self._check_target(target, head)
                changed = [name for name in staged if head.files.get(name) not in digests[name]]
                added = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=staged[name]) for name in changed]
                return [*added, *(CommitOperationDelete(path_in_repo=name) for name in _stale(head, staged))]

            def holds(head: Head) -> bool:
                return all(head.files.get(name) in digests[name] for name in staged) and not _stale(head, staged)

            commit = target.commit(plan, holds, _MESSAGE)
        if left_out:
            more = f" and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
            self._say(f"not part of the model, and not uploaded: {_named(left_out)}{more}")
        return commit

    def _say(self, line: str) -> None:
        if not self.quiet:
            note(line)

    def _check_target(self, target: Repository, head: Head) -> None:
        """Refuse a public repository for a private push, and one with a model that pairforge didn't train."""
        if self.private and not head.private:
            fix = f"{self.to_public} to push there, or another {self.to_other}"
            raise InputError(f"{target.name} is public on the Hub", fix=fix)
        foreign = [name for name in head.files if belongs(name)]
        if foreign and not _is_ours(target, head):
            what = f"{target.name} holds a model or a card that pairforge didn't make: {_named(foreign)}"
            raise InputError(what, fix=f"another {self.to_other}")

    def _staged(self, path: Path, folder: Path) -> Path:
        """Return the file to upload: a copy without folders of this machine, where it can name some, else the file."""
        value = json_object(path) if path.suffix == ".json" and path.stat().st_size < 2**24 else {}
        if path.name in (_VERDICT, _HISTORY):
            public: Any = without_places(value)
        else:  # other texts are the model's own: its tokens, its template
            public = _without_paths(value, everywhere=path.name in ("config.json", "adapter_config.json"))
        if public == value:
            return path
        self._say(f"{path.name}: folders of this machine are left out of what is uploaded")
        copy = folder / path.name
        copy.write_text(json.dumps(public, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        shutil.copymode(path, copy)
        return copy


def _without_paths(value: Any, everywhere: bool, key: str = "") -> Any:
    """Return JSON data without the folders of this machine: under keys that say so, or `everywhere` absolute ones."""
    if isinstance(value, Mapping):
        return {name: _without_paths(item, everywhere, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_paths(item, everywhere, key) for item in value]
    said = isinstance(value, str) and key.endswith(("_path", "_file", "_dir"))
    absolute = everywhere and isinstance(value, str) and os.path.isabs(value)
    return public_name(value) if said or absolute else value


def _is_safetensors(path: Path) -> bool:
    """Return whether a file begins as safetensors do: the length of the header, and its first character."""
    with path.open("rb") as file:
        start = file.read(9)
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size - 8


def why_not(folder: Path) -> str:
    """Return why a model should not be published: its verdict is FAIL, or the guard stopped its training."""
    model = TrainedModel.at(folder)
    if model and model.outcome == "FAIL":
        return "its verdict is FAIL"
    guard = json_object(folder / _HISTORY).get("guard")
    stopped = isinstance(guard, Mapping) and guard.get("action") == "stop" and guard.get("alarm")
    return "the guard stopped its training" if stopped else ""


def _named(names: Iterable[str]) -> str:
    return ", ".join(map(escaped, [*names][:_SHOWN]))


def _is_ours(target: Repository, head: Head) -> bool:
    import yaml
    from huggingface_hub import ModelCard

    if _CARD not in head.files:
        return False
    try:
        return "pairforge" in (ModelCard(target.text(_CARD, head), ignore_metadata_errors=True).data.tags or ())
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return False


def _stale(head: Head, staged: Iterable[str]) -> list[str]:
    """Return the files of the model that was there, which the new one does not have."""
    return sorted(name for name in head.files if belongs(name) and name not in set(staged))


def _digests(path: Path) -> set[str]:
    """Return the digests by which the Hub knows a file: SHA-256 of a large one, git's of a small one."""
    large, small = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(2**20):
            large.update(block)
            small.update(block)
    return {large.hexdigest(), small.hexdigest()}
