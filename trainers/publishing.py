"""The push of the model that a training makes, by the flags of TRL: see `pairforge.hub.model_upload`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pairforge
from pairforge.hub.model_upload import ModelUpload, why_not
from pairforge.hub.repository import check_repo

from .messages import say


def repository_of(hub_model_id: str | None) -> str:
    """Return the name of the repository to push to, with or without an owner. Raises InputError where it is none."""
    if not hub_model_id:
        raise pairforge.InputError("--push_to_hub needs the name of a repository", fix="--hub_model_id OWNER/NAME")
    check_repo(hub_model_id, "--hub_model_id", owner=False)
    return hub_model_id


def reserve(config: Any) -> str:
    """Return the full name of the repository, made or found to be writable: a missing right is known before training.

    A new repository is private unless `--hub_private_repo false` says otherwise. Raises InputError and OutsideError.
    """
    return _upload(Path(), repository_of(config.hub_model_id), config).reserve()


def publish(folder: Path, repo: str, config: Any) -> None:
    """Upload the model in one commit, unless its verdict is FAIL or the guard stopped its training.

    Raises InputError and OutsideError.
    """
    if why := why_not(folder):
        command = shlex.join(["pairforge", "push", str(folder), "--repo", repo, "--yes"])
        say(f"not pushed to {repo}: {why}; to push it all the same: {command}")
        return
    commit = _upload(folder, repo, config).run()
    say(f"pushed: {commit.url}" if commit.new else f"already up to date: {commit.url}")
    if commit.private and config.hub_private_repo is False:
        say("the repository is private and stays so: change it in the settings there")


def _upload(folder: Path, repo: str, config: Any) -> ModelUpload:
    return ModelUpload(
        folder,
        repo,
        config.hub_private_repo is not False,
        config.hub_token,
        getattr(config, "hub_revision", None),
        to_public="--hub_private_repo false",
        to_other="--hub_model_id",
    )
