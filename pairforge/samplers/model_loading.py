"""LoRA adapters: found in a folder or on the Hub, and put on their base model through peft.

Loads what a sampler needs. What would answer by chance is refused; what goes wrong is said in one line.
"""

from __future__ import annotations

import hashlib
import json
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

POCKET = "pocket"


def model_source(model: str) -> str:
    """What `from_pretrained` is given for a model: a folder or a Hub id; "pocket" is the bundled one's folder."""
    return str(resource("data", "pocket")) if model == POCKET else model


_WHOLE = 64 * 2**20  # bytes; larger weight files are known by size, time and header, not read through
_NEEDS = "it needs config.json, a tokenizer and safetensors"
_ADAPTER_NEEDS = "give --adapter a LoRA that was trained on this --model"
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")


def fingerprint(source: str, revision: str | None = None) -> str:
    """The weights and the tokenizer by content: a commit on the Hub, a hash of the files in a folder."""
    if Path(source).is_dir():
        return _folder_digest(Path(source))
    return commit_of(source, revision) or digest(load_config(source, revision).to_dict())


def commit_of(source: str, revision: str | None) -> str | None:
    """The commit that a revision of a Hub model stands for now; None for a folder. Raises as `load_config`."""
    from transformers.utils import cached_file, extract_commit_hash

    _refuse_missing_folder(source)
    if Path(source).is_dir():
        return None
    with loading(source):
        commit: str | None = extract_commit_hash(cached_file(source, "config.json", revision=revision), None)
    return commit


def load_config(source: str, revision: str | None) -> Any:
    """The model's config.json. Raises InputError for a folder, OutsideError for a Hub id that can't be loaded."""
    from transformers import AutoConfig

    _refuse_missing_folder(source)
    with loading(source):
        return AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)


def load_tokenizer(source: str, revision: str | None) -> Any:
    """The tokenizer. Raises as `load_config`; one without a vocabulary is an InputError."""
    from transformers import AutoTokenizer

    with loading(source):
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
        # Where its file is missing, transformers makes an empty one and says nothing.
        if len(tokenizer) <= len(tokenizer.all_special_tokens):
            raise InputError(f"the tokenizer of {source} has no vocabulary", fix=_NEEDS)
        return tokenizer


def load_model(source: str, revision: str | None, dtype: Any, allow_pickle: bool = False) -> Any:
    """The causal language model, on the CPU; of its generation settings the end tokens alone.

    Raises as `load_config`; weights that are missing or of the wrong shape, that only pickle can read (unless allowed),
    and other architectures, are InputErrors.
    """
    from transformers import GenerationConfig

    if getattr(load_config(source, revision), "is_encoder_decoder", False):
        raise _not_causal(source)
    with loading(source):
        model, info = _read_weights(source, revision, dtype, allow_pickle)
        if wrong := sorted({*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}):
            raise InputError(
                f"{source} has no weights, or of another shape, for {wrong[0]} and {len(wrong) - 1} more",
                fix="config.json and the weights must be of one model",
            )
        if not model.can_generate() or not _is_causal(model):
            raise _not_causal(source)
        ends = generation_settings(source, revision).eos_token_id
        if ends is None:
            ends = getattr(model.config.get_text_config(decoder=True), "eos_token_id", None)
        ends = [token for token in (ends if isinstance(ends, list) else [ends]) if isinstance(token, int)]
        model.generation_config = GenerationConfig(eos_token_id=ends)
        return model


def _read_weights(source: str, revision: str | None, dtype: Any, allow_pickle: bool) -> tuple[Any, dict[str, Any]]:
    from transformers import AutoModelForCausalLM, GenerationConfig
    from transformers.utils import has_file

    def read(use_safetensors: bool) -> Any:
        return AutoModelForCausalLM.from_pretrained(
            source,
            revision=revision,
            dtype=dtype,
            use_safetensors=use_safetensors,
            weights_only=True,
            trust_remote_code=False,
            generation_config=GenerationConfig(),
            ignore_mismatched_sizes=True,  # Reported by the caller, by name.
            output_loading_info=True,
        )

    try:
        model, info = read(use_safetensors=True)
    except OSError:
        if not any(has_file(source, name, revision=revision) for name in _PICKLED):
            raise
        if not allow_pickle:
            raise InputError(
                f"{source} has pickled weights alone, which can run code when they are read",
                fix="take a model with safetensors, or trust it with --allow-pickle",
            ) from None
        model, info = read(use_safetensors=False)
    return model, info


def generation_settings(source: str, revision: str | None) -> Any:
    """What the model's authors decode by, as transformers' GenerationConfig; empty where they say nothing."""
    from transformers import GenerationConfig

    class Unchecked(GenerationConfig):  # type: ignore[misc]
        def validate(self, *args: Any, **kwargs: Any) -> None:
            """Settings that nobody follows need not go together."""

    with suppress(OSError):
        return Unchecked.from_pretrained(source, revision=revision or "main")
    return Unchecked()


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, the accelerator's or the machine's, does not suffice."""
    import torch

    signs = ("out of memory", "not enough memory", "can't allocate memory", "bad_alloc", "alloc_failed")
    kinds = (MemoryError, torch.cuda.OutOfMemoryError)
    return isinstance(error, kinds) or any(sign in str(error).lower() for sign in signs)


@contextmanager
def loading(source: str, kind: str = "model") -> Iterator[None]:
    """Turns whatever the libraries raise, or say at length, while they load something, into an error of one line."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # What its reports of a screen's length say is said in the error.
    logging.disable_progress_bar()
    try:
        yield
    except PairforgeError:
        raise
    except Exception as error:
        raise _as_one_line(source, kind, error) from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _as_one_line(source: str, kind: str, error: Exception) -> PairforgeError:
    if out_of_memory(error):
        return OutsideError(f"no memory to load the {kind} {source}", fix="take a smaller model or a larger machine")
    if Path(source).is_dir():
        needs = _NEEDS if kind == "model" else _ADAPTER_NEEDS
        return InputError(f"{source} is no {kind} folder that can be used: {error_line(error)}", fix=needs)
    return OutsideError(
        f"can't load the {kind} {source}: {error_line(error)}", fix="check the id, `hf auth login`, or go online once"
    )


def _refuse_missing_folder(source: str) -> None:
    if (Path(source).is_absolute() or source.startswith(("./", "../", "~"))) and not Path(source).is_dir():
        raise InputError(f"no model folder {source}", fix="check the path given with --model")


def _not_causal(source: str) -> InputError:
    return InputError(f"{source} is no causal language model: it can't answer", fix="give --model a chat model")


def _is_causal(model: Any) -> bool:
    """Whether a token's logits are blind to the tokens after it.

    `is_decoder=False` alone doesn't tell: encoders say so, but so does GPT-NeoX.
    """
    import torch

    if getattr(model.config, "is_decoder", True):
        return True
    with torch.inference_mode():
        first, second = (model(torch.tensor([[0, other]])).logits[0, 0] for other in (1, 2))
    return bool(torch.allclose(first, second, atol=1e-5))


def _folder_digest(folder: Path) -> str:
    """Hash of names and contents of the files that make the model; of very large ones size, time and first MB."""
    total = hashlib.sha256()
    kinds = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "pytorch_model*.bin", "adapter_model.bin")
    files = {file for kind in kinds for file in folder.glob(kind)} - {folder / "verdict.json"}
    for file in sorted(files):
        stat = file.stat()
        total.update(f"{file.name} {stat.st_size}".encode())
        if stat.st_size <= _WHOLE:
            total.update(file.read_bytes())
        else:
            total.update(f"{stat.st_mtime_ns}".encode())
            with open(file, "rb") as head:
                total.update(head.read(2**20))
    return total.hexdigest()[:16]


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
