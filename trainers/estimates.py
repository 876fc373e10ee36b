"""Estimates before training: tokens, steps, memory and time; `report` prints them."""

from __future__ import annotations

import math
import os
import random
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pairforge.text import plural

from .messages import say

_SAMPLED_BATCHES = 50
"""The number of random batches by which the length of a typical one is estimated."""
_TILE_TOKENS, _TILE_VOCABULARY = 4096, 32768
"""The part of the logits that TRL's fused head computes at a time."""


@dataclass(frozen=True)
class BatchLengths:
    """Tokens of a batch with its padding: of a typical one and of the longest, and the mean without padding.

    `pairs` are the indices of the pairs of a typical batch.
    """

    pairs: Sequence[int]
    typical: int
    longest: int
    mean: float

    @classmethod
    def of(cls, trainer: Any) -> BatchLengths:
        """Measure the trainer's tokenized pairs; torch's random generators are not used."""
        data, limit = trainer.train_dataset, trainer.args.max_length or sys.maxsize
        columns = zip(data["prompt_ids"], data["chosen_ids"], data["rejected_ids"], strict=True)
        sides = [[min(len(prompt) + len(side), limit) for side in both] for prompt, *both in columns]
        batch = min(trainer.args.per_device_train_batch_size, len(sides))
        generator = random.Random(0)
        batches = [generator.sample(range(len(sides)), batch) for _ in range(_SAMPLED_BATCHES)]
        padded = [2 * batch * max(max(sides[index]) for index in pairs) for pairs in batches]
        mean = sum(padded) / _SAMPLED_BATCHES
        typical = min(range(_SAMPLED_BATCHES), key=lambda number: abs(padded[number] - mean))
        longest = 2 * batch * max(map(max, sides))
        return cls(batches[typical], padded[typical], longest, batch * sum(map(sum, sides)) / len(sides))


def steps(args: Any, pairs: int) -> int:
    """Return the number of optimizer steps on that many pairs."""
    if args.max_steps > 0:
        return int(args.max_steps)
    batches = math.ceil(pairs / (args.per_device_train_batch_size * args.world_size))
    per_epoch: int = math.ceil(batches / args.gradient_accumulation_steps)
    return math.ceil(float(args.num_train_epochs) * per_epoch)


def memory(trainer: Any, tokens: int) -> dict[str, float]:
    """Estimate the bytes at the peak of a step, part by part; `tokens` are those of the longest batch, with padding.

    Counted are each parameter once for its weight, and if it is trained once more for its gradient and twice for
    AdamW's two moments, in its own precision; the reference, if there is one (not with LoRA or precomputed
    log-probabilities); under autocast a 16-bit copy of the weights; `activations` and `logits`. Other optimizers take
    less or more.
    """
    from trl.trainer import utils

    args, model = trainer.args, trainer.model
    config = model.config.get_text_config()
    trained = _bytes(one for one in model.parameters() if one.requires_grad)
    half = args.bf16 or args.fp16
    width = 2 if half else next(model.parameters()).element_size()
    parts = {
        "weights": _bytes(model.parameters()),
        "reference": _bytes(trainer.ref_model.parameters()) if trainer.ref_model is not None else 0,
        "gradients": trained,
        "optimizer": 2 * trained,
        "16-bit copies": sum(2 * one.numel() for one in model.parameters() if one.element_size() > 2) if half else 0,
        "activations": activations(config, tokens, width, args.gradient_checkpointing),
        "logits": logits(config.vocab_size, tokens, hasattr(utils, "add_fused_lm_head")),
    }
    if args.device.type == "cpu":
        parts = {"program": max(0, resident() - parts["weights"] - parts["reference"]), **parts}
    return {name: size for name, size in parts.items() if size}


def activations(config: Any, tokens: int, width: int, checkpointing: bool) -> float:
    """Estimate the bytes saved for the backward pass, `width` for each number.

    In each layer a token leaves about 10 vectors of the hidden size (two norms in float32, the inputs of the
    projections, the attention's output), queries, keys and values with keys and values expanded to all heads, and 4
    vectors of the feed-forward's inner size: counted on Llama-like layers. With gradient checkpointing only the input
    of each layer and the inside of one are held.
    """
    hidden, layers = config.hidden_size, config.num_hidden_layers
    heads = getattr(config, "num_attention_heads", 1)
    attention = heads * (getattr(config, "head_dim", None) or hidden // heads)
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    inner *= getattr(config, "num_experts_per_tok", None) or 1
    inside = 10 * hidden + 4 * attention + 4 * inner
    return float(tokens * width * (layers * hidden + inside if checkpointing else layers * inside))


def logits(vocabulary: int, tokens: int, fused: bool) -> float:
    """Return the bytes of all tokens' logits, their log-probabilities and gradients, in float32.

    TRL's fused head holds only a tile of them.
    """
    if fused:
        vocabulary, tokens = min(vocabulary, _TILE_VOCABULARY), min(tokens, _TILE_TOKENS)
    return 3.0 * 4 * vocabulary * tokens


def resident() -> int:
    """Return the bytes of main memory that this process uses; 0 if the system doesn't report it."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def seconds(trainer: Any, pairs: Sequence[int]) -> tuple[float, float]:
    """Estimate the seconds of a step, by a forward pass; return them and the seconds that the measurement took.

    A forward pass of model and reference is timed as the trainer does it, after one to warm up; the backward pass is
    taken for twice the model's forward, once if only an adapter is trained, and once more with gradient checkpointing.
    Neither weights nor random generators are changed.
    """
    import torch

    begun = time.monotonic()
    batch = trainer.data_collator([trainer.train_dataset[index] for index in pairs])
    batch = {name: tensor.to(trainer.args.device) for name, tensor in batch.items()}
    was_training = trainer.model.training
    trainer.model.eval()
    try:  # the trainer is left as it was: its metrics go to those of an evaluation, and are dropped
        with torch.random.fork_rng(), torch.no_grad(), trainer.accelerator.autocast():
            for _ in range(2):
                start = time.monotonic()
                float(trainer.compute_loss(trainer.model, dict(batch)))
                forward = time.monotonic() - start
    finally:
        trainer.model.train(was_training)
        trainer._metrics["eval"].clear()
    policy = forward if trainer.args.precompute_ref_log_probs else forward / 2
    frozen = any(not one.requires_grad for one in trainer.model.parameters())
    backward = policy * ((1 if frozen else 2) + bool(trainer.args.gradient_checkpointing))
    return (forward + backward) * trainer.args.gradient_accumulation_steps, time.monotonic() - begun


def report(trainer: Any, done: int = 0, evaluation: float = 0.0) -> None:
    """Print the estimates for the steps ahead; `done` steps are behind, `evaluation` are the seconds of the verdict."""
    lengths, ahead = BatchLengths.of(trainer), steps(trainer.args, len(trainer.train_dataset)) - done
    args, parameters = trainer.args, list(trainer.model.parameters())
    batches = args.gradient_accumulation_steps * args.world_size
    pairs = args.per_device_train_batch_size * batches
    size = f"about {lengths.mean * batches:,.0f} tokens, at most {lengths.longest * batches:,} with padding"
    say(f"{plural(ahead, 'step')}, {plural(pairs, 'pair')} each ({size})")
    trained = sum(one.numel() for one in parameters if one.requires_grad)
    say(f"parameters: {trained:,} trained of {sum(one.numel() for one in parameters):,}")
    say_experts(dict(trainer.model.named_parameters()))
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        say("no estimate of memory and time under FSDP or DeepSpeed")
        return
    parts = memory(trainer, lengths.longest)
    per_process = " a process" if args.world_size > 1 else ""
    listed = ", ".join(f"{name} {_size(size)}" for name, size in parts.items())
    say(f"memory: about {_size(sum(parts.values()))}{per_process}: {listed}")
    step, _ = seconds(trainer, lengths.pairs)
    more = f", plus about {duration(evaluation)} of evaluation" if evaluation else ""
    say(f"training: about {duration(step * ahead)} (estimated from one forward pass){more}")


def say_experts(parameters: Mapping[str, Any]) -> None:
    """Print how many weights of experts an adapter does not reach, if it is one and there are such."""
    adapted = {name.partition(".lora_")[0] for name in parameters if ".lora_" in name}
    experts = [name for name in parameters if ".lora_" not in name and re.search(r"\.\w*experts?\.", name)]
    # Of a layer with an adapter the weights are in its base_layer, or, where each tensor has one, in several of them.
    left = [name for name in experts if re.sub(r"(\.base_layer)*\.\w+$", "", name) not in adapted]
    if adapted and left:
        sizes = [sum(parameters[name].numel() for name in names) for names in (left, experts)]
        tensors = " ".join(sorted({".".join(name.split(".")[-2:]) for name in left if not name.endswith("bias")}))
        say(f"experts: the adapter leaves {sizes[0]:,} of their {sizes[1]:,} weights as they are")
        say(f"  -> to reach them: --lora_target_parameters {tensors}")


def duration(seconds: float) -> str:
    """Return a time for a reader: 67 s, or from two minutes on h:mm:ss."""
    return f"{seconds:.0f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))


def _bytes(parameters: Any) -> int:
    return sum(one.numel() * one.element_size() for one in parameters)


def _size(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
