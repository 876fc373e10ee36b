"""Backends: the libraries through which a local model is run."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from .model_loading import POCKET

if TYPE_CHECKING:
    from .transformers import TransformersSampler

_CLASSES = {"transformers": "TransformersSampler", "vllm": "VllmSampler", "openvino": "OpenVinoSampler"}


def pick_backend(name: str, model: str, device: str) -> str:
    """Return the backend; for "auto" vLLM where it is installed and there is a GPU for it, else transformers.

    The bundled model is answered in less time than vLLM takes to start.
    """
    if name != "auto":
        return name
    if model == POCKET or device not in ("auto", "cuda") or find_spec("vllm") is None:
        return "transformers"
    import torch

    return "vllm" if torch.cuda.is_available() else "transformers"


def sampler_class(backend: str) -> type[TransformersSampler]:
    """Return the class of a backend's samplers."""
    module = import_module(f".{backend}", __package__)
    return cast("type[TransformersSampler]", getattr(module, _CLASSES[backend]))
