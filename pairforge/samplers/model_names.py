"""Whether the model that a user names is there: what is known without importing torch."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import InputError, OutsideError, PairforgeError
from ..readers.foreign_files import LOOKED_AT, foreign_file
from ..readers.source import near_file
from ..text import did_you_mean, one_line
from .gguf_models import SMOLLM2, check_gguf, is_gguf
from .model_loading import MODEL_FIX, POCKET

HUB_ID = re.compile(r"\w[\w.-]*(/[\w.-]+)?")
_FILES = {
    "model": ("config.json", "adapter_config.json"),
    "adapter": ("adapter_config.json",),
    "tokenizer": ("tokenizer_config.json", "tokenizer.json", "config.json", "adapter_config.json"),
}
"""What a folder holds one of, by the kind of what is wanted from it."""
_TOKENIZERS = ("tokenizer*", "vocab*", "*.model", "*.tiktoken", "tekken.json")
_CHAT_MODEL = "give a chat model: -m ORG/MODEL"
_COPY = "copy or download the model again"


def check_model(model: str, revision: str | None = None, kind: str = "model", *, ask_hub: bool = False) -> None:
    """Raise InputError for a path or name that can't be a model's, OutsideError for what can't be fetched.

    Args:
        model: A folder, a Hub id, a GGUF file, "pocket" or "smollm2".
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
    if kind != "adapter" and is_gguf(model):
        if revision:
            what = f"--revision has no effect with the GGUF file {one_line(model)}"
            raise InputError(what, fix="leave it out; of the Hub: hf download REPO FILE --revision REVISION")
        check_gguf(model)
        return
    if not model.strip():
        raise InputError(f"{flag}: the name of the {kind} is empty", fix=f"give a folder or a Hub id: {flag} ORG/MODEL")
    if path.is_dir():
        _check_folder(path, said, kind)
    elif path.is_file():
        inside = (path.parent / "config.json").is_file()
        fix = f"{flag} {path.parent}" if inside else f"{flag} takes a folder or a Hub id"
        raise InputError(f"{said} is a file", fix=fix)
    elif found := re.match(r"https?://huggingface\.co/([\w.-]+/[\w.-]+)", model):
        raise InputError(f"{said} is a URL", fix=f"give the id: {flag} {found[1]}")
    elif "://" in model:
        raise InputError(f"{said} is a URL", fix=f"give a server by --base-url {one_line(model)}")
    elif model.startswith(("./", "../", "~", "/")) or not HUB_ID.fullmatch(model):
        what = f"no {kind} folder {one_line(model)}" if "/" in model else f"{said} is neither a folder nor a Hub id"
        raise InputError(what, fix=near_file(str(path), folders=True) or f"check the path given with {flag}")
    else:
        _check_hub(model, revision, said, kind, ask_hub)


def _check_folder(path: Path, said: str, kind: str) -> None:
    wanted = _FILES[kind]
    found = [path / name for name in wanted if (path / name).is_file()]
    if not found:
        raise _no_model(path, said, kind)
    config = _settings(found[0], kind)
    if found[0].name == "adapter_config.json" and not any(path.glob("adapter_model.*")):
        raise InputError(
            f"{said}: the folder holds no adapter_model.safetensors", fix="it needs adapter_model.safetensors"
        )
    if kind != "model":
        return
    if config.get("is_encoder_decoder"):
        raise InputError(f"{said} is not a causal language model: it can't answer", fix=_CHAT_MODEL)
    if found[0].name == "config.json":
        check_weights(path, said)
        if (path / "modules.json").is_file() and "CausalLM" not in str(config.get("architectures")):
            raise InputError(f"{said} is a model of sentence-transformers: it can't answer", fix=_CHAT_MODEL)
        if not any(file for pattern in _TOKENIZERS for file in path.glob(pattern)):
            fix = "copy that of the model it was made from: tokenizer.json, tokenizer_config.json, chat_template.jinja"
            raise InputError(f"{said}: the folder holds no tokenizer", fix=fix)
    elif isinstance(base := config.get("base_model_name_or_path"), str) and base:
        try:
            check_model(base, config.get("revision"))
        except PairforgeError as error:
            error.message = f"{said} is an adapter, and its base can't be used: {error.message.removeprefix('-m ')}"
            written = f"correct base_model_name_or_path in {found[0]}"
            error.fix = f"{written}; only to ask it, -m BASE --adapter {path} does as well"
            raise


def _no_model(path: Path, said: str, kind: str) -> InputError:
    """Return the error for a folder without what a model's has, with the folder that is probably meant."""
    wanted = _FILES[kind]
    places = ("*/", "snapshots/*/", "*/snapshots/*/")  # of checkpoints, and of the cache of the Hub
    inner = next((sorted(found) for place in places if (found := list(_folders(path, place, wanted)))), [])
    holds = "nothing" if not any(path.iterdir()) else f"no {wanted[0]}"
    fix = MODEL_FIX if kind == "model" else f"it needs {wanted[0]}"
    if files := sorted(path.glob("*.gguf")):
        holds, fix = "a GGUF file", f"name the file: -m {files[0]}"
    elif (path / "model_index.json").is_file():
        holds, fix = "a pipeline of diffusers, not a language model", _CHAT_MODEL
    return InputError(f"{said}: the folder holds {holds}", fix=f"did you mean {inner[-1]}?" if inner else fix)


def _folders(path: Path, place: str, wanted: Sequence[str]) -> Iterator[Path]:
    return (found.parent for name in wanted for found in path.glob(place + name))


def _settings(file: Path, kind: str) -> dict[str, Any]:
    try:
        settings = json.loads(file.read_text("utf-8"))
        if not isinstance(settings, dict):
            raise ValueError("not a JSON object")
        return settings
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file} can't be read: {one_line(error)}", fix=f"copy the {kind} again") from error


def check_weights(path: Path, said: str) -> None:
    """Raise InputError for a folder whose weights are missing or cut off, as far as their first bytes tell."""
    files = sorted(path.glob("*.safetensors"))
    if not files and not any(path.glob("pytorch_model*.bin*")):
        raise InputError(f"{said}: the folder holds no weights", fix=MODEL_FIX)
    index = path / "model.safetensors.index.json"
    if index.is_file() and isinstance(parts := _settings(index, "model").get("weight_map"), dict):
        absent = sorted({str(name) for name in parts.values()} - {file.name for file in files})
        if absent:
            more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
            raise InputError(f"{said}: {absent[0]}{more} of its weights are missing", fix=_COPY)
    for file in files:
        if what := _wrong_weights(file):
            raise InputError(f"{file} {what}", fix=_COPY)


def _wrong_weights(file: Path) -> str:
    """Return what is wrong with a safetensors file, by its header; empty where that fits the file."""
    try:
        size = file.stat().st_size
        with open(file, "rb") as stream:
            start = stream.read(LOOKED_AT)
            if found := foreign_file(start, ""):
                return f"is {found[0]}"
            length = int.from_bytes(start[:8], "little")
            stream.seek(8)
            header = json.loads(stream.read(length)) if 8 + length <= size else {}
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    except OSError as error:
        return f"can't be read: {error.strerror}"
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return "is not a whole safetensors file"
    return "is not a whole safetensors file" if 8 + length + max(ends, default=0) != size else ""


def _check_hub(model: str, revision: str | None, said: str, kind: str, ask: bool) -> None:
    """Check a Hub id as far as the cache of this machine tells, and with `ask` the Hub."""
    from huggingface_hub import constants, repo_exists, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    if any(isinstance(try_to_load_from_cache(model, name, revision=revision), str) for name in _FILES[kind]):
        return
    if "/" not in model and kind != "adapter" and (hint := did_you_mean(model, [POCKET, SMOLLM2])):
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
