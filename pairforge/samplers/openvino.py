"""Answers from a local model through OpenVINO GenAI, on the CPU; the model is converted once."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..types import Key, Skip, digest
from .continuous_batching import BatchingEngine, ContinuousBatchingSampler, Ended, TokenRequest
from .conversion_cache import cache_folder, made_once, room_for
from .decoding import GREEDY, Decoding
from .hardware import cores, pick_dtype
from .model_loading import POCKET, load_errors

_ROWS = 64  # at most at once
_CACHE = 4  # GB of keys and values at most


class OpenVinoSampler(ContinuousBatchingSampler):
    """Samples through OpenVINO GenAI's continuous batching, with a cache of shared beginnings."""

    backend = "openvino"
    module = "openvino_genai"
    devices = ("auto", "cpu")
    at_once = 256

    def __init__(self, model: str = POCKET, decoding: Decoding = GREEDY, **options: Any) -> None:
        super().__init__(model, decoding, **options)
        self.local.may_round = False

    def start(self) -> BatchingEngine:
        """Load the model into OpenVINO, and convert it first where that was not done before."""
        local = self.local
        local.chat  # noqa: B018 - says that the model is being loaded
        dtype = pick_dtype(local.dtype, _Cpu, None)
        precision = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}[str(dtype).removeprefix("torch.")]
        model = {name: local.settings.get(name) for name in ("model", "adapter", "gguf")}
        made_by = [version(name) for name in ("transformers", "openvino")]
        folder = cache_folder(f"openvino-{digest([model, precision, made_by])}")
        with load_errors(local.name), _quiet():
            made_once(folder, lambda unfinished: convert(self._torch_model(), unfinished))
            return OpenVinoEngine(_pipeline(folder, precision, local.batch_size or _ROWS))

    def _torch_model(self) -> Any:
        """Return the model, which is not kept: it is needed for the conversion alone."""
        try:
            return self.local.model
        finally:
            self.local.__dict__.pop("model", None)


class _Cpu:
    type = "cpu"


@contextmanager
def _quiet() -> Iterator[None]:
    """Import OpenVINO without what reports its use to its makers, and silence the warnings between the libraries."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def convert(model: Any, folder: Path) -> None:
    """Write a causal language model with its cache as OpenVINO's, in the precision that it has.

    Raises InputError where this version of transformers can't, or not this model.
    """
    import torch
    from transformers import DynamicCache

    try:
        from transformers.exporters.exporter_dynamo import get_auto_dynamic_shapes, register_cache_pytrees_for_model
        from transformers.exporters.exporter_openvino import OpenVINOConfig, OpenVINOExporter
    except ImportError as error:
        raise InputError("this version of transformers can't convert a model to OpenVINO's", fix=_NEWER) from error
    rows, past, new = 2, 3, 4  # of an example; none of the three numbers is kept
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(input_ids=torch.ones(rows, past, dtype=torch.long), past_key_values=cache, use_cache=True)
    register_cache_pytrees_for_model(model)
    example = {
        "input_ids": torch.ones(rows, new, dtype=torch.long),
        "attention_mask": torch.ones(rows, past + new, dtype=torch.long),
        "position_ids": torch.arange(past, past + new).repeat(rows, 1),
        "past_key_values": cache,
    }
    shapes = get_auto_dynamic_shapes(example)
    # Heads and their size are fixed: to find that out would take most of the time.
    shapes["past_key_values"] = [{axis: one[axis] for axis in (0, 2)} for one in shapes["past_key_values"]]
    exported = OpenVINOExporter().export(model, example, config=OpenVINOConfig(dynamic=True, dynamic_shapes=shapes))
    with room_for(folder, model.get_memory_footprint()):
        OpenVINOExporter.save_program(exported.program, folder / "openvino_model.xml")
        model.config.save_pretrained(folder)


_NEWER = "pip install --upgrade transformers"


def _pipeline(folder: Path, precision: str, rows: int) -> Any:
    import openvino_genai as genai

    scheduler = genai.SchedulerConfig()
    scheduler.cache_size, scheduler.max_num_seqs, scheduler.enable_prefix_caching = _CACHE, rows, True
    how = {"INFERENCE_PRECISION_HINT": precision, "KV_CACHE_PRECISION": precision, "INFERENCE_NUM_THREADS": cores()}
    return genai.ContinuousBatchingPipeline(str(folder), scheduler, "CPU", how, {})


@dataclass
class OpenVinoEngine:
    """The pipeline, and the requests in it."""

    pipeline: Any
    _running: dict[Key, Any] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def add(self, key: Key, request: TokenRequest) -> None:
        """Take a request."""
        import numpy as np
        import openvino
        import openvino_genai as genai

        decoding = request.decoding
        config = genai.GenerationConfig()
        config.max_new_tokens, config.stop_token_ids = request.new_tokens, set(request.ends)
        if request.ends:  # else it is that of the model's config.json, where it may be another one or none
            config.eos_token_id = request.ends[0]
        if decoding.temperature:
            config.do_sample, config.temperature, config.rng_seed = True, decoding.temperature, request.seed
            config.top_p, config.min_p = decoding.top_p, decoding.min_p
            config.top_k = decoding.top_k or config.top_k
        tokens = openvino.Tensor(np.array([request.ids], dtype=np.int64))
        self._running[key] = self.pipeline.add_request(next(self._numbers), tokens, config)

    def step(self) -> Mapping[Key, Ended]:
        """Generate one token for each running request."""
        import openvino_genai as genai

        self.pipeline.step()
        running = genai.GenerationStatus.RUNNING
        over = [key for key, handle in self._running.items() if handle.get_status() != running]
        return {key: self._read(key) for key in over}

    def _read(self, key: Key) -> Ended:
        import openvino_genai as genai

        handle = self._running.pop(key)
        if handle.get_status() == genai.GenerationStatus.IGNORED:
            return Skip("oom", f"the prompt and its answer need more than {_CACHE} GB")
        (output,) = handle.read_all()
        length = output.finish_reason == genai.GenerationFinishReason.LENGTH
        return output.generated_ids, "length" if length else "stop"

    def drop(self, keys: Collection[Key]) -> None:
        """Stop requests, and take them out of the pipeline."""
        for key in list(keys):
            self._running.pop(key).cancel()
        self.pipeline.step()
