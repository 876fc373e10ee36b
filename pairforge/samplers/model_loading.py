"""Load models, tokenizers and LoRA adapters from a folder or the Hub.

Models that would answer at random (missing weights, an adapter of another model) are refused; errors are one line.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, OutsideError, PairforgeError
from ..resources import resource
from ..text import error_line
from ..types import digest
from .gguf_models import check_gguf, converted, gguf_digest, gguf_file, is_gguf

POCKET = "pocket"

_HASHED_WHOLE = 64 * 2**20  # bytes; a larger weight file is identified by its size, time and first MB
MODEL_FIX = "it needs config.json, a tokenizer and safetensors"
SERVE = "to ask it, serve it by llama.cpp: --base-url http://localhost:8080/v1; training needs the original"
_ADAPTER_FIX = "give --adapter a LoRA that was trained on this --model"
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_ADAPTER_FILES = ["adapter_config.json", "adapter_model.*", "tokenizer*", "special_tokens_map.json", "*.jinja"]
_ADAPTER_FILES += ["vocab.*", "merges.txt", "*.model"]


def model_source(model: str) -> str:
    """Return what `from_pretrained` takes for a model: a folder or a Hub id; for "pocket" the bundled model's folder.

    A GGUF file is converted to a folder, once; so is "smollm2". All functions of this file call it themselves.
    """
    if model == POCKET:
        return str(resource("data", "pocket"))
    if is_gguf(model):
        check_gguf(model)
        with load_errors(model):
            file = gguf_file(model)
        with load_errors(str(file)):
            return str(converted(file))
    return os.path.expanduser(model)  # a shell leaves the ~ of --model=~/folder as it is


@dataclass(frozen=True)
class ResolvedModel:
    """A base model as `from_pretrained` takes it, its commit, and the folder of an adapter to apply."""

    base: str
    revision: str | None
    adapter: Path | None = None

    @property
    def tokenizer(self) -> tuple[str, str | None]:
        """Source and revision of the tokenizer: the adapter's own where it has one, as it was trained with it."""
        if self.adapter and (self.adapter / "tokenizer_config.json").exists():
            return str(self.adapter), None
        return self.base, self.revision


def resolve_model(model: str, revision: str | None, adapter: str | None) -> ResolvedModel:
    """Resolve the names of a model and an adapter; for an adapter given as the model, find its base model.

    A Hub id is pinned to its current commit. Raises InputError or OutsideError for what doesn't exist.
    """
    if adapter is not None:
        return ResolvedModel(model, _commit_of_base(model, revision), _adapter_folder(adapter, None))
    try:
        folder = Path(model_source(model))
        config, whole = folder / "adapter_config.json", any(folder.glob("model*.safetensors"))
        if whole and config.exists() and not any(folder.glob("adapter_model.*")):
            what = f"{model} is a whole model, which transformers takes for an adapter because of a file that was left"
            raise InputError(what, fix=f"remove {config}")
        if whole or not config.exists():
            return ResolvedModel(model, commit_of(model, revision) or revision)
    except PairforgeError as error:
        if not _is_adapter_on_hub(model, revision, error):
            raise
    folder, fix = _adapter_folder(model, revision), f"-m BASE --adapter {model}"
    named = _adapter_config(folder)
    base, base_revision = named.get("base_model_name_or_path"), named.get("revision")
    if not isinstance(base, str) or not base:
        raise InputError(f"{model} is an adapter that does not name its base model", fix=fix)
    try:
        return ResolvedModel(base, _commit_of_base(base, base_revision), folder)
    except PairforgeError as error:
        raise InputError(f"{model} is an adapter, and its base can't be loaded: {error.message}", fix=fix) from error


def _commit_of_base(model: str, revision: str | None) -> str | None:
    """Return the commit of the model that an adapter is applied to. Raises InputError where that is an adapter too."""
    folder = Path(model)
    if (folder / "adapter_config.json").exists() and not (folder / "config.json").exists():
        raise InputError(
            f"{model} is an adapter itself: one is applied to a whole model",
            fix="merge it into its base first: see docs/own-model.md",
        )
    return commit_of(model, revision) or revision


def commit_of(model: str, revision: str | None) -> str | None:
    """Return the current commit of a Hub model's revision; None for a folder. Raises as `load_config` does."""
    from transformers.utils import cached_file, extract_commit_hash

    source = _existing(model)
    if Path(source).is_dir():
        return None
    with load_errors(source):
        commit: str | None = extract_commit_hash(cached_file(source, "config.json", revision=revision), None)
    return commit


def fingerprint(model: str, revision: str | None = None) -> str:
    """Identify weights and tokenizer by content: by the commit on the Hub, by a hash of the files in a folder."""
    if is_gguf(model):
        return gguf_digest(gguf_file(model))[:16]
    folder = Path(model_source(model))
    if not folder.is_dir():
        return commit_of(model, revision) or digest(load_config(model, revision).to_dict())
    total = hashlib.sha256()
    patterns = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "pytorch_model*.bin", "adapter_model.bin")
    files = {file for pattern in patterns for file in folder.glob(pattern)} - {folder / "verdict.json"}
    for file in sorted(files):
        stat = file.stat()
        total.update(f"{file.name} {stat.st_size}".encode())
        if stat.st_size <= _HASHED_WHOLE:
            total.update(file.read_bytes())
        else:
            total.update(f"{stat.st_mtime_ns}".encode())
            with open(file, "rb") as head:
                total.update(head.read(2**20))
    return total.hexdigest()[:16]


def load_config(model: str, revision: str | None) -> Any:
    """Load the model's config.json. Raises InputError for a folder, OutsideError for a Hub id that can't be loaded."""
    from transformers import AutoConfig

    source = _existing(model)
    with load_errors(source):
        return AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)


def load_causal_config(model: str, revision: str | None) -> Any:
    """Load the config of a model that answers in text. Raises as `load_config`; InputError for another kind."""
    from transformers.models.auto import modeling_auto

    config, source = load_config(model, revision), model_source(model)
    if getattr(config, "is_encoder_decoder", False):
        raise _not_causal(source)
    kind = str(config.model_type)
    sees = kind in modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    if sees and kind not in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        what = f"{source} is a model of images and text ({kind}), which is neither asked nor trained here"
        raise InputError(what, fix="take a model of text alone; to ask this one, serve it: --base-url")
    return config


def _not_causal(source: str) -> InputError:
    return InputError(f"{source} is not a causal language model: it can't answer", fix="give --model a chat model")


def load_tokenizer(model: str, revision: str | None) -> Any:
    """Load the tokenizer. Raises as `load_config` does; InputError for one without a vocabulary."""
    from transformers import AutoTokenizer

    source = model_source(model)
    with load_errors(source):
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
        # Where its file is missing, transformers makes an empty one without a warning.
        if len(tokenizer) <= len(tokenizer.all_special_tokens):
            raise InputError(f"the tokenizer of {source} has no vocabulary", fix=MODEL_FIX)
        return tokenizer


def generation_settings(model: str, revision: str | None) -> Any:
    """Return the decoding that the model's authors recommend, as a GenerationConfig; an empty one if they don't."""
    from transformers import GenerationConfig

    class Unchecked(GenerationConfig):  # type: ignore[misc]
        def validate(self, *args: Any, **kwargs: Any) -> None:
            """Accept any settings: they are not followed, so they need not be consistent."""

    with suppress(OSError):
        return Unchecked.from_pretrained(model_source(model), revision=revision or "main")
    return Unchecked()


def load_model(model: str, revision: str | None, dtype: Any, allow_pickle: bool = False) -> Any:
    """Load the causal language model on the CPU; of its generation settings it keeps the end tokens alone.

    Raises as `load_config` does; InputError for weights that are missing, of the wrong shape or readable by pickle
    alone (unless allowed), and for other architectures.
    """
    from transformers import GenerationConfig

    source = model_source(model)
    load_causal_config(source, revision)
    with load_errors(source):
        loaded, info = _read_weights(source, revision, dtype, allow_pickle)
        if wrong := sorted({*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}):
            raise InputError(
                f"{source} has no weights, or weights of another shape, for {wrong[0]} and {len(wrong) - 1} more",
                fix="config.json and the weights must be of one model",
            )
        if not loaded.can_generate() or not _is_causal(loaded):
            raise _not_causal(source)
        loaded.generation_config = GenerationConfig(eos_token_id=end_tokens(source, revision, loaded.config))
        return loaded


def end_tokens(model: str, revision: str | None, config: Any) -> list[int]:
    """Return the tokens that end an answer, as the model's authors recommend them, else as its config names them."""
    ends = generation_settings(model, revision).eos_token_id
    if ends is None:
        ends = getattr(config.get_text_config(decoder=True), "eos_token_id", None)
    return [token for token in (ends if isinstance(ends, list) else [ends]) if isinstance(token, int)]


def _read_weights(source: str, revision: str | None, dtype: Any, allow_pickle: bool) -> Any:
    """Return the model, and what `from_pretrained` reports of the loading."""
    from transformers import AutoModelForCausalLM, GenerationConfig
    from transformers.utils import has_file

    read = functools.partial(
        AutoModelForCausalLM.from_pretrained,
        source,
        revision=revision,
        dtype=dtype,
        weights_only=True,
        trust_remote_code=False,
        generation_config=GenerationConfig(),
        ignore_mismatched_sizes=True,  # Reported by the caller, by name.
        output_loading_info=True,
    )
    try:
        return read(use_safetensors=True)
    except OSError:
        if not any(has_file(source, name, revision=revision) for name in _PICKLED):
            raise
        if not allow_pickle:
            raise InputError(
                f"{source} has only pickled weights, which can run code when they are read",
                fix="take a model with safetensors, or trust it with --allow-pickle",
            ) from None
        return read(use_safetensors=False)


def _is_causal(model: Any) -> bool:
    """Return True if the logits of a token do not depend on the tokens after it.

    The config's `is_decoder=False` does not decide: encoders have it, but GPT-NeoX has it too.
    """
    import torch

    if getattr(model.config, "is_decoder", True):
        return True
    with torch.inference_mode():
        first, second = (model(torch.tensor([[0, other]])).logits[0, 0] for other in (1, 2))
    return bool(torch.allclose(first, second, atol=1e-5))


def apply_adapter(model: Any, folder: Path, allow_pickle: bool, trainable: bool = False) -> Any:
    """Return peft's model with the adapter's layers, not merged: in 16 bits merging would change answers by rounding.

    Raises InputError without peft, for an adapter that does not fit the model, and for adapters that are not layers.
    """
    if not (folder / "adapter_model.safetensors").exists() and not allow_pickle:
        raise InputError(
            f"the adapter {folder} has no safetensors; pickled weights can run code", fix="--allow-pickle, if trusted"
        )
    try:
        from peft import PeftModel
    except ImportError as error:
        raise InputError("an adapter needs peft", fix="pip install peft") from error
    with load_errors(str(folder), "adapter"), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between peft and transformers
        # A part that the file lacks would keep its initial values: peft only warns of it.
        warnings.filterwarnings("error", "Found missing adapter keys")
        try:
            adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)
        except RuntimeError as error:
            if re.search(r"size mismatch for \S*(?:embed|wte|lm_head)", str(error)) is None:
                raise
            what = f"the adapter {folder} has embeddings of another size than its base, e.g. for new tokens"
            raise InputError(what, fix="merge it into its base first: see docs/own-model.md") from error
        if adapted.active_peft_config.is_prompt_learning:
            raise InputError(f"{folder} is a prompt-tuning adapter", fix="give a LoRA adapter")
        return adapted


def _adapter_folder(adapter: str, revision: str | None) -> Path:
    folder = Path(os.path.expanduser(adapter))
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        with load_errors(adapter, "adapter"):
            folder = Path(snapshot_download(adapter, revision=revision, allow_patterns=_ADAPTER_FILES))
    _adapter_config(folder)
    return folder


def _adapter_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} is not an adapter: it has no adapter_config.json that can be read", fix="give --adapter a LoRA"
        ) from error
    return config if isinstance(config, dict) else {}


def _is_adapter_on_hub(model: str, revision: str | None, error: PairforgeError) -> bool:
    """Return True if a Hub id, whose config.json could not be loaded because of `error`, is an adapter.

    Nothing is requested from the Hub unless the Hub itself said that the file does not exist.
    """
    from transformers.utils import find_adapter_config_file

    if Path(model).exists():
        return False
    with suppress(OSError, ValueError):
        known_here_only = "not appear to have a file" not in error.message
        return find_adapter_config_file(model, revision=revision, local_files_only=known_here_only) is not None
    return False


def _existing(model: str) -> str:
    """Return the model's source. Raises InputError for a path where there is no folder."""
    source = model_source(model)
    if source.startswith(("/", "./", "../")) and not Path(source).is_dir():
        raise InputError(f"no model folder {source}", fix="check the path given with --model")
    return source


def out_of_memory(error: BaseException) -> bool:
    """Return True if the error says that memory, of the accelerator or the machine, does not suffice."""
    import torch

    phrases = ("out of memory", "not enough memory", "can't allocate memory", "bad_alloc", "alloc_failed")
    kinds = (MemoryError, torch.cuda.OutOfMemoryError)
    return isinstance(error, kinds) or any(phrase in str(error).lower() for phrase in phrases)


@contextmanager
def load_errors(source: str, kind: str = "model") -> Iterator[None]:
    """Silence the libraries while they load something, and convert whatever they raise to an error of one line."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # The error says what their long reports say.
    logging.disable_progress_bar()
    try:
        yield
    except PairforgeError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise OutsideError(
                f"not enough memory to load the {kind} {source}", fix="take a smaller model or a larger machine"
            ) from error
        if "custom code" in str(error) or "trust_remote_code" in str(error):
            what = f"the {kind} {source} needs Python code of its own, which is never run"
            raise InputError(what, fix="take a model that transformers knows, or serve this one: --base-url") from error
        if found := re.search(r"model type `([^`]+)` but", str(error)):
            what = f"the {kind} {source} is of the type {found[1]}, which this version of transformers doesn't know"
            raise InputError(what, fix="pip install --upgrade transformers, or serve the model: --base-url") from error
        if os.path.exists(source):
            folder = "folder" if os.path.isdir(source) else "file"
            fix = SERVE if folder == "file" else MODEL_FIX if kind == "model" else _ADAPTER_FIX
            raise InputError(f"the {kind} {folder} {source} can't be used: {error_line(error)}", fix=fix) from error
        if re.search("couldn't connect to|locate the file on the Hub", str(error)):
            what = f"the {kind} {source} is not in the cache of this machine, and the Hub can't be reached"
            raise OutsideError(what, fix="check the network and the id, or give a folder") from error
        raise OutsideError(
            f"can't load the {kind} {source}: {error_line(error)}",
            fix="check the id, `hf auth login`, or go online once",
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
