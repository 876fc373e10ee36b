"""Upload a trained model to the Hub: what belongs to a model and nothing else of its folder, in one commit, private.

A model that was not pushed after its training: `python -m trainers.publishing FOLDER OWNER/NAME`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pairforge
from pairforge.disk import json_object
from pairforge.hub import Head, Repository, connected, status_of
from pairforge.markdown import public_name, without_places
from pairforge.run import TrainedModel
from pairforge.text import escaped

from .messages import say
from .model_card import PICTURE

if TYPE_CHECKING:
    from huggingface_hub import CommitOperation

_CARD, _HISTORY, _VERDICT = "README.md", "history.json", "verdict.json"
_WEIGHTS = (
    "model.safetensors", "model-?????-of-?????.safetensors", "model.safetensors.index.json",
    "adapter_model.safetensors", "adapter_config.json",
)  # fmt: skip
_BESIDE = (
    "config.json", "generation_config.json", "chat_template.jinja", "tokenizer.json", "tokenizer_config.json",
    "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "preprocessor_config.json", "processor_config.json",
)  # fmt: skip
_REPORTS = (_CARD, _VERDICT, _HISTORY, PICTURE)
_PATH_KEYS = ("_path", "_file", "_dir")  # how the keys of a configuration end whose values are paths
_MESSAGE = "Trained with pairforge"
_SHOWN = 8


def belongs(name: str) -> bool:
    """Return True for the name of a file that is part of a model, or of what pairforge writes about it."""
    return any(fnmatchcase(name, pattern) for pattern in (*_WEIGHTS, *_BESIDE, *_REPORTS))


def reserve(config: Any) -> str:
    """Return the full name of the repository, made or found to be writable: a missing right is known before training.

    A new repository is private unless `--hub_private_repo false` says otherwise. Raises InputError and OutsideError.
    """
    if not config.hub_model_id:
        raise pairforge.InputError("--push_to_hub needs the name of a repository", fix="--hub_model_id OWNER/NAME")
    return _reserve(config.hub_model_id, config.hub_token, config.hub_private_repo is not False)


def publish(folder: Path, repo: str, config: Any) -> None:
    """Upload the model in one commit, unless its verdict is FAIL or the guard stopped its training.

    Raises InputError and OutsideError.
    """
    if why := _failed(folder):
        command = shlex.join(["python", "-m", "trainers.publishing", str(folder), repo, "--yes"])
        say(f"not pushed to {repo}: {why}; to push it all the same: {command}")
        return
    private = config.hub_private_repo is not False
    upload(folder, repo, token=config.hub_token, private=private, revision=getattr(config, "hub_revision", None))


def upload(
    folder: Path, repo: str, *, token: str | None = None, private: bool = True, revision: str | None = None
) -> None:
    """Upload the files of a model in one commit, unless the head holds them already, and say what was left out.

    Folders of this machine are left out of the files. Files of a model that was there before are deleted with the same
    commit: an adapter that stayed beside new weights would be applied to them.

    Raises InputError and OutsideError.
    """
    if not TrainedModel.at(folder):
        raise pairforge.InputError(f"{folder} holds no model", fix="name the folder that the training wrote")
    names = sorted(path.name for path in folder.iterdir())
    made = [name for name in names if belongs(name) and (folder / name).is_file()]
    with TemporaryDirectory() as temporary, connected(repo, "model", token=token, revision=revision) as target:
        staged = {name: _staged(folder / name, Path(temporary)) for name in made}
        digests = {name: _digests(path) for name, path in staged.items()}

        def plan(head: Head) -> list[CommitOperation]:
            from huggingface_hub import CommitOperationAdd, CommitOperationDelete

            _check_target(target, head, private)
            changed = [name for name in staged if head.files.get(name) not in digests[name]]
            added = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=staged[name]) for name in changed]
            return [*added, *(CommitOperationDelete(path_in_repo=name) for name in _stale(head, staged))]

        def holds(head: Head) -> bool:
            return all(head.files.get(name) in digests[name] for name in staged) and not _stale(head, staged)

        commit = target.commit(plan, holds, _MESSAGE)
    left_out = [name for name in names if name not in made]
    if left_out:
        more = f" and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
        say(f"not part of the model, and not uploaded: {', '.join(map(escaped, left_out[:_SHOWN]))}{more}")
    say(f"pushed: {commit.url}" if commit.new else f"already up to date: {commit.url}")
    if commit.private and not private:
        say("the repository is private and stays so: change it in the settings there")


def _reserve(name: str, token: str | None, private: bool) -> str:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        with connected(name, "model", token=token) as target:
            try:
                return target.create(private)
            except HfHubHTTPError as error:
                # 409: it is there; 403: it may be, for a token that may write to this one and make none.
                if status_of(error) not in (403, 409):
                    raise
                if "/" not in name:
                    name = f"{target.api.whoami()['name']}/{name}"
                    target = Repository(target.api, name, "model")
                target.check_write()
            _check_target(target, target.head(), private)
            return name
    except HFValidationError as error:
        raise pairforge.InputError(f"{name} can't be a model's id", fix="--hub_model_id OWNER/NAME") from error


def _check_target(target: Repository, head: Head, private: bool) -> None:
    """Refuse a public repository for a private push, and one with a model that pairforge didn't train."""
    if private and not head.private:
        fix = "--hub_private_repo false to push there, or another --hub_model_id"
        raise pairforge.InputError(f"{target.name} is public on the Hub", fix=fix)
    foreign = [name for name in head.files if belongs(name)]
    if foreign and not _is_ours(target, head):
        names = ", ".join(map(escaped, foreign[:_SHOWN]))
        raise pairforge.InputError(
            f"{target.name} holds a model or a card that pairforge didn't make: {names}", fix="another --hub_model_id"
        )


def _is_ours(target: Repository, head: Head) -> bool:
    import yaml
    from huggingface_hub import ModelCard

    if _CARD not in head.files:
        return False
    with TemporaryDirectory() as folder:
        text = target.download(_CARD, head, Path(folder)).read_text(encoding="utf-8", errors="replace")
    try:
        return "pairforge" in (ModelCard(text, ignore_metadata_errors=True).data.tags or ())
    except (yaml.YAMLError, ValueError, TypeError):
        return False


def _stale(head: Head, staged: Iterable[str]) -> list[str]:
    """Return the files of the model that was there, which the new one does not have."""
    return sorted(name for name in head.files if belongs(name) and name not in set(staged))


def _failed(folder: Path) -> str:
    """Return why the model should not be published: its verdict is FAIL, or the guard stopped its training."""
    model = TrainedModel.at(folder)
    if model and model.outcome == "FAIL":
        return "its verdict is FAIL"
    guard = json_object(folder / _HISTORY).get("guard")
    stopped = isinstance(guard, Mapping) and guard.get("action") == "stop" and guard.get("alarm")
    return "the guard stopped its training" if stopped else ""


def _staged(path: Path, folder: Path) -> Path:
    """Return the file to upload: a copy without folders of this machine, where it can name some, else the file."""
    value = json_object(path) if path.suffix == ".json" and path.stat().st_size < 2**24 else {}
    if path.name in (_VERDICT, _HISTORY):
        public: Any = without_places(value)
    else:  # other texts are the model's own: its tokens, its template
        paths = {key for key, item in value.items() if isinstance(item, str) and key.endswith(_PATH_KEYS)}
        public = {key: public_name(item) if key in paths else item for key, item in value.items()}
    if public == value:
        return path
    say(f"{path.name}: folders of this machine are left out of what is uploaded")
    copy = folder / path.name
    copy.write_text(json.dumps(public, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    shutil.copymode(path, copy)
    return copy


def _digests(path: Path) -> set[str]:
    """Return the digests by which the Hub knows a file: SHA-256 of a large one, git's of a small one."""
    large, small = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(2**20):
            large.update(block)
            small.update(block)
    return {large.hexdigest(), small.hexdigest()}


def main(argv: Sequence[str] | None = None) -> int:
    """Upload the model in a folder; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m trainers.publishing", description="Upload a trained model.")
    parser.add_argument("folder", type=Path, help="the folder that the training wrote")
    parser.add_argument("repo", metavar="OWNER/NAME", help="the repository on the Hub")
    parser.add_argument("--public", action="store_true", help="make a new repository public")
    parser.add_argument("--yes", action="store_true", help="push a model whose verdict is FAIL")
    given = parser.parse_args(argv)
    try:
        if (why := _failed(given.folder)) and not given.yes:
            raise pairforge.InputError(f"{given.folder} is not pushed: {why}", fix="add --yes to push it all the same")
        upload(given.folder, _reserve(given.repo, None, not given.public), private=not given.public)
    except pairforge.PairforgeError as error:
        say(f"error: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
