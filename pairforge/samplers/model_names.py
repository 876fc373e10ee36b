"""Whether the model that a user names is there: what is known without importing torch."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path

from ..errors import InputError, OutsideError
from ..text import did_you_mean, one_line
from .model_loading import MODEL_FIX, POCKET

HUB_ID = re.compile(r"\w[\w.-]*(/[\w.-]+)?")
_FILES = {
    "model": ("config.json", "adapter_config.json"),
    "adapter": ("adapter_config.json",),
    "tokenizer": ("tokenizer_config.json", "tokenizer.json", "config.json", "adapter_config.json"),
}
"""What a folder holds one of, by the kind of what is wanted from it."""


def check_model(model: str, revision: str | None = None, kind: str = "model", *, ask_hub: bool = False) -> None:
    """Raise InputError for a path or name that can't be a model's, OutsideError for what can't be fetched.

    Args:
        model: A folder, a Hub id, or "pocket".
        revision: The branch, tag or commit that is wanted.
        kind: "model", "adapter" (LoRA), or "tokenizer".
        ask_hub: Ask the Hub, if it can be reached, whether it has a model that is not in the cache.
    """
    revision = None if revision == "main" else revision
    flag, path = "--adapter" if kind == "adapter" else "-m", Path(os.path.expanduser(model))
    said = f"{flag} {one_line(model)}"
    if model == POCKET and kind != "adapter":
        if revision:
            raise InputError("--revision has no effect with the bundled pocket model", fix="leave it out")
        return
    if not model.strip():
        raise InputError(f"{flag}: the name of the {kind} is empty", fix=f"give a folder or a Hub id: {flag} ORG/MODEL")
    if path.is_dir():
        _check_folder(path, said, kind)
    elif path.is_file():
        inside = (path.parent / "config.json").is_file()
        fix = f"{flag} {path.parent}" if inside else f"{flag} takes a folder or a Hub id"
        if path.suffix == ".gguf":
            fix = "serve it, e.g. by llama.cpp, and give the server: --base-url http://localhost:8080/v1"
        raise InputError(f"{said} is a file", fix=fix)
    elif found := re.match(r"https?://huggingface\.co/([\w.-]+/[\w.-]+)", model):
        raise InputError(f"{said} is a URL", fix=f"give the id: {flag} {found[1]}")
    elif "://" in model:
        raise InputError(f"{said} is a URL", fix=f"give a server by --base-url {one_line(model)}")
    elif model.startswith(("./", "../", "~", "/")) or not HUB_ID.fullmatch(model):
        near = [str(other) for other in path.parent.iterdir() if other.is_dir()] if path.parent.is_dir() else []
        what = f"no {kind} folder {one_line(model)}" if "/" in model else f"{said} is neither a folder nor a Hub id"
        raise InputError(what, fix=did_you_mean(str(path), near) or f"check the path given with {flag}")
    else:
        _check_hub(model, revision, said, kind, ask_hub)


def _check_folder(path: Path, said: str, kind: str) -> None:
    wanted = _FILES[kind]
    if found := [path / name for name in wanted if (path / name).is_file()]:
        try:
            json.loads(found[0].read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{found[0]} can't be read: {one_line(error)}", fix=f"copy the {kind} again") from error
        return
    inner = sorted(found.parent for name in wanted for found in path.glob(f"*/{name}"))
    holds = "nothing" if not any(path.iterdir()) else f"no {wanted[0]}"
    fix = MODEL_FIX if kind == "model" else f"it needs {wanted[0]}"
    raise InputError(f"{said}: the folder holds {holds}", fix=f"did you mean {inner[-1]}?" if inner else fix)


def _check_hub(model: str, revision: str | None, said: str, kind: str, ask: bool) -> None:
    """Check a Hub id as far as the cache of this machine tells, and with `ask` the Hub."""
    from huggingface_hub import constants, repo_exists, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    if any(isinstance(try_to_load_from_cache(model, name, revision=revision), str) for name in _FILES[kind]):
        return
    if "/" not in model and kind != "adapter" and (hint := did_you_mean(model, [POCKET])):
        raise InputError(f"{said}: no such model", fix=hint)
    if constants.HF_HUB_OFFLINE:
        folders = Path(constants.HF_HUB_CACHE).glob("models--*")
        cached = [folder.name.removeprefix("models--").replace("--", "/", 1) for folder in folders]
        at = f" at {one_line(revision, 40)}" if revision else ""
        what = f"{said}{at}: there is no such folder, and it is not in the Hub cache (HF_HUB_OFFLINE is set)"
        near = [name for name in cached if name != model]
        fix = did_you_mean(model, near) or "unset HF_HUB_OFFLINE and go online once, or give a folder"
        raise OutsideError(what, fix=fix)
    with suppress(*HfHubHTTPError.__bases__, OSError):  # not reachable now: loading the model tries again
        if ask and not repo_exists(model):
            what = f"there is no model {model} on the Hub that you may read"
            raise OutsideError(what, fix="hf auth login, if it is private")
