"""Answers from a local model through vLLM, in this process: on one or more GPUs."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..disk import json_object
from ..errors import InputError
from ..types import Key
from .continuous_batching import BatchingEngine, ContinuousBatchingSampler, Ended, TokenRequest
from .decoding import GREEDY, Decoding
from .model_loading import POCKET, load_errors, model_source

_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks of adapters that vLLM makes room for."""


class VllmSampler(ContinuousBatchingSampler):
    """Samples through vLLM, with a cache of shared beginnings. The model may be an adapter, as for transformers.

    `tensor_parallel` is the number of GPUs over which each layer is split.
    """

    backend = "vllm"
    module = "vllm"
    devices = ("auto", "cuda")

    def __init__(
        self, model: str = POCKET, decoding: Decoding = GREEDY, *, tensor_parallel: int = 1, **options: Any
    ) -> None:
        super().__init__(model, decoding, **options)
        self.tensor_parallel = tensor_parallel

    def start(self) -> BatchingEngine:
        """Load the model into vLLM."""
        # It reports how it is used to its makers unless it is told not to. In this process, its scheduling is the same
        # each time.
        os.environ["VLLM_NO_USAGE_STATS"] = "1"
        defaults = {"LOGGING_LEVEL": "ERROR", "LOGGING_STREAM": "ext://sys.stderr", "ENABLE_V1_MULTIPROCESSING": "0"}
        for name, value in defaults.items():
            os.environ.setdefault(f"VLLM_{name}", value)
        local = self.local
        local.chat  # noqa: B018 - says that the model is being loaded
        with load_errors(local.name):
            import vllm
            from vllm.lora.request import LoRARequest

            adapter = local.resolved.adapter
            options: dict[str, Any] = {"max_num_seqs": local.batch_size} if local.batch_size else {}
            if adapter:
                options |= {"enable_lora": True, "max_lora_rank": _rank(adapter)}
            llm = vllm.LLM(
                model_source(local.resolved.base),
                revision=local.resolved.revision,
                tokenizer=model_source(local.resolved.tokenizer[0]),
                tokenizer_revision=local.resolved.tokenizer[1],
                dtype=local.dtype,
                tensor_parallel_size=self.tensor_parallel,
                enable_prefix_caching=True,
                generation_config="vllm",  # of the model's own nothing but the end tokens is followed
                load_format="auto" if local.allow_pickle else "safetensors",
                trust_remote_code=False,
                disable_log_stats=True,
                **options,
            )
            return VllmEngine(llm, vllm.SamplingParams, LoRARequest("adapter", 1, str(adapter)) if adapter else None)


@dataclass
class VllmEngine:
    """vLLM's engine: an `LLM`, its class of sampling parameters, and the adapter of each request."""

    llm: Any
    sampling_params: Any
    adapter: Any = None
    _keys: dict[str, Key] = field(default_factory=dict)

    def add(self, key: Key, request: TokenRequest) -> None:
        """Take a request. vLLM raises ValueError for one that is too long for its memory."""
        decoding = request.decoding
        drawn = {"top_p": decoding.top_p, "top_k": decoding.top_k, "min_p": decoding.min_p, "seed": request.seed}
        params = self.sampling_params(
            max_tokens=request.new_tokens,
            temperature=decoding.temperature,
            stop=list(decoding.stop) or None,
            stop_token_ids=list(request.ends),
            detokenize=bool(decoding.stop),
            **(drawn if decoding.temperature else {}),
        )
        prompt = {"prompt_token_ids": list(request.ids)}
        (name,) = self.llm.enqueue([prompt], [params], lora_request=self.adapter, use_tqdm=False)
        self._keys[_number(name)] = key

    def step(self) -> Mapping[Key, Ended]:
        """Generate one token for each running request."""
        found: dict[Key, Ended] = {}
        for output in self.llm.llm_engine.step():
            if output.finished:
                (answer,) = output.outputs
                finish: Literal["stop", "length"] = "length" if answer.finish_reason == "length" else "stop"
                found[self._keys.pop(_number(output.request_id))] = list(answer.token_ids), finish
        return found

    def drop(self, keys: Collection[Key]) -> None:
        """Take all requests out of the engine."""
        self.llm.llm_engine.abort_request([name for name, key in self._keys.items() if key in keys])
        self._keys.clear()


def _number(request_id: str) -> str:
    """Return vLLM's number of a request: behind it, only some of its parts know a random suffix."""
    return request_id.partition("-")[0]


def _rank(adapter: Path) -> int:
    """Return the rank that makes room for an adapter. Raises InputError for one that is larger than vLLM takes."""
    config = json_object(adapter / "adapter_config.json")
    patterns: Any = config.get("rank_pattern")
    ranks: Sequence[Any] = [config.get("r"), *(patterns.values() if isinstance(patterns, Mapping) else ())]
    most = max((rank for rank in ranks if isinstance(rank, int)), default=8)
    if most > _RANKS[-1]:
        raise InputError(
            f"the adapter {adapter} has rank {most}, vLLM takes {_RANKS[-1]}", fix="--backend transformers"
        )
    return next(rank for rank in _RANKS if rank >= most)
