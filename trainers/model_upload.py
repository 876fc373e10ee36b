"""Upload the folder of a trained model to the Hub in one commit, when all its files are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pairforge

from .preflight import say

_IGNORED = ["checkpoint-*", "checkpoint-*/**", ".*", "runs/*", "*.bin"]
"""Files that are not uploaded: checkpoints, half-written files, a tracker's logs, pickles."""


def reserve(config: Any) -> str:
    """Create the repository before training, and return its full name, so that a missing right is reported early."""
    from huggingface_hub import HfApi

    if not config.hub_model_id:
        raise pairforge.InputError("--push_to_hub needs the name of a repository", fix="--hub_model_id OWNER/NAME")
    with _hub_errors(config.hub_model_id):
        api = HfApi(token=config.hub_token)
        return str(api.create_repo(config.hub_model_id, private=config.hub_private_repo, exist_ok=True).repo_id)


def publish(folder: Path, repo: str, config: Any) -> None:
    """Upload the folder in one commit. Raises OutsideError."""
    from huggingface_hub import HfApi

    with _hub_errors(repo):
        commit = HfApi(token=config.hub_token).upload_folder(
            repo_id=repo,
            folder_path=str(folder),
            revision=getattr(config, "hub_revision", None),
            ignore_patterns=_IGNORED,
            commit_message="Trained with pairforge",
        )
    say(f"pushed: {commit.commit_url}")


@contextmanager
def _hub_errors(repo: str) -> Iterator[None]:
    """Convert errors of the Hub's client to InputError or OutsideError, in one line."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:  # the bases of that error are those of the HTTP library beneath, requests or httpx
        yield
    except HFValidationError as error:
        raise pairforge.InputError(f"{repo} can't be a model's id", fix="--hub_model_id OWNER/NAME") from error
    except (*HfHubHTTPError.__bases__, OSError, RuntimeError, ValueError) as error:
        line = str(error).strip().split("\n")[0]
        raise pairforge.OutsideError(f"can't push to {repo}: {line}", fix="hf auth login, or go online") from error
