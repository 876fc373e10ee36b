"""LoRA adapters: found in a folder or on the Hub, and put on their base model through peft."""

from __future__ import annotations

import json
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, PairforgeError
from .loading import commit_of, loading

_FILES = ["adapter_config.json", "adapter_model.*", "tokenizer*", "special_tokens_map.json", "*.jinja", "vocab.*"]
_FILES += ["merges.txt", "*.model"]


@dataclass(frozen=True)
class Weights:
    """What `from_pretrained` is given, and the folder of an adapter to be put on it."""

    base: str
    revision: str | None
    adapter: Path | None = None

    @property
    def tokenizer(self) -> tuple[str, str | None]:
        """Source and revision of the tokenizer: the adapter's own where it brings one, as it was trained with it."""
        if self.adapter and (self.adapter / "tokenizer_config.json").exists():
            return str(self.adapter), None
        return self.base, self.revision


def resolve(model: str, revision: str | None, adapter: str | None) -> Weights:
    """A model and an adapter by name as what is to be loaded; an adapter given as the model is put on its base.

    A Hub id is pinned to the commit that it stands for now. Raises InputError or OutsideError for what isn't there.
    """
    if adapter is not None:
        return Weights(model, _pinned(model, revision), _folder(adapter, None))
    try:
        if not _is_adapter_folder(Path(model)):
            return Weights(model, _pinned(model, revision))
    except PairforgeError as error:
        if not _is_adapter_on_hub(model, revision, error):
            raise
    return _on_its_base(model, revision)


def _on_its_base(model: str, revision: str | None) -> Weights:
    folder, fix = _folder(model, revision), f"-m BASE --adapter {model}"
    told = _config(folder)
    base = told.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise InputError(f"{model} is an adapter that does not name its base model", fix=fix)
    try:
        return Weights(base, _pinned(base, told.get("revision")), folder)
    except PairforgeError as error:
        raise InputError(f"{model} is an adapter, and its base can't be loaded: {error.message}", fix=fix) from error


def apply(model: Any, folder: Path, allow_pickle: bool) -> Any:
    """The model with the adapter's layers in it, not merged: in 16 bits merging would round other answers.

    Raises InputError without peft, for an adapter that does not fit the model, and for kinds that are no layers.
    """
    if not (folder / "adapter_model.safetensors").exists() and not allow_pickle:
        raise InputError(
            f"the adapter {folder} has no safetensors; pickled weights can run code", fix="--allow-pickle, if trusted"
        )
    try:
        from peft import PeftModel
    except ImportError as error:
        raise InputError("an adapter needs peft", fix="pip install peft") from error
    with loading(str(folder), "adapter"), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between peft and transformers
        # A part that the file lacks would keep its first values: peft says so in a warning only.
        warnings.filterwarnings("error", "Found missing adapter keys")
        adapted = PeftModel.from_pretrained(model, str(folder))
        if adapted.active_peft_config.is_prompt_learning:
            raise InputError(f"{folder} is a prompt-tuning adapter", fix="give a LoRA adapter")
        return adapted.get_base_model()


def _pinned(source: str, revision: str | None) -> str | None:
    return commit_of(source, revision) or revision


def _is_adapter_folder(folder: Path) -> bool:
    return (folder / "adapter_config.json").exists() and not any(folder.glob("model*.safetensors"))


def _is_adapter_on_hub(model: str, revision: str | None, why: PairforgeError) -> bool:
    """`why` is the reason for which its config.json can't be had: without a network nothing more is asked for."""
    from huggingface_hub import try_to_load_from_cache
    from transformers.utils import find_adapter_config_file

    if Path(model).exists():
        return False
    with suppress(OSError, ValueError):
        if isinstance(try_to_load_from_cache(model, "adapter_config.json", revision=revision), str):
            return True
        if "not appear to have a file" in why.message:
            return find_adapter_config_file(model, revision=revision) is not None
    return False


def _folder(adapter: str, revision: str | None) -> Path:
    folder = Path(adapter)
    if not folder.is_dir():
        if folder.is_absolute() or adapter.startswith(("./", "../", "~")):
            raise InputError(f"no adapter folder {adapter}", fix="check the path given with --adapter")
        from huggingface_hub import snapshot_download

        with loading(adapter, "adapter"):
            folder = Path(snapshot_download(adapter, revision=revision, allow_patterns=_FILES))
    _config(folder)
    return folder


def _config(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} is no adapter: it has no adapter_config.json that can be read", fix="give --adapter a LoRA"
        ) from error
    return told if isinstance(told, dict) else {}
