"""Puts the folder of a trained model on the Hub: once, when all that belongs in it is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pairforge

from .data import say

_NOT = ["checkpoint-*", "checkpoint-*/**", ".*", "runs/*", "*.bin"]
"""What stays here: checkpoints, files half written, a tracker's logs, pickles."""


def reserve(config: Any) -> str:
    """The repository's full name, made where it isn't there: a token that may not write is known before training."""
    from huggingface_hub import HfApi

    if not config.hub_model_id:
        raise pairforge.InputError("--push_to_hub needs to know where to", fix="--hub_model_id OWNER/NAME")
    with _told(config.hub_model_id):
        api = HfApi(token=config.hub_token)
        return str(api.create_repo(config.hub_model_id, private=config.hub_private_repo, exist_ok=True).repo_id)


def publish(folder: Path, repo: str, config: Any) -> None:
    """Uploads the folder in one commit. Raises OutsideError."""
    from huggingface_hub import HfApi

    revision = getattr(config, "hub_revision", None)
    with _told(repo):
        commit = HfApi(token=config.hub_token).upload_folder(
            repo_id=repo,
            folder_path=str(folder),
            revision=revision,
            ignore_patterns=_NOT,
            commit_message="Trained with pairforge",
        )
    say(f"pushed: {commit.commit_url}")


@contextmanager
def _told(repo: str) -> Iterator[None]:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:  # the bases of that error are those of the HTTP library beneath, requests or httpx
        yield
    except HFValidationError as error:
        raise pairforge.InputError(f"{repo} can't be a model's id", fix="--hub_model_id OWNER/NAME") from error
    except (*HfHubHTTPError.__bases__, OSError, RuntimeError, ValueError) as error:
        line = str(error).strip().split("\n")[0]
        raise pairforge.OutsideError(f"can't push to {repo}: {line}", fix="hf auth login, or go online") from error
