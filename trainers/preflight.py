"""What training will have and what it will take, told before it starts: pairs, tokens, steps, memory and time."""

from __future__ import annotations

import math
import os
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pairforge

from .data import say

_DRAWS = 50
"""Batches that are drawn to see how long a typical one is."""
_TILE_TOKENS, _TILE_VOCABULARY = 4096, 32768
"""The part of the logits that TRL's fused head holds at a time."""


def check_pairs(rows: Sequence[Mapping[str, Any]], numbers: Sequence[int], model: str, config: Any) -> None:
    """Refuses pairs with errors, as the model's own tokenizer sees them; tells the warnings, and what carries a signal.

    `numbers` are the rows' places in what they were drawn from. Raises InputError.
    """
    limit = config.max_length or sys.maxsize
    revision = (config.model_init_kwargs or {}).get("revision")
    findings = pairforge.validate(rows, model=model, revision=revision, max_length=limit, quiet=True)
    errors = [finding for finding in findings if finding.severity == "error"]
    for finding in errors[:5]:
        say(f"{finding.code} row {'-' if finding.row is None else numbers[finding.row]}: {finding.message}")
    if errors:
        codes = ", ".join(sorted({finding.code for finding in errors}))
        raise pairforge.InputError(f"{len(errors)} errors in {len(rows)} pairs: {codes}", fix="see pairforge validate")
    first = {finding.code: finding for finding in reversed(findings)}
    for code, finding in sorted(first.items()):
        if finding.severity == "warning":
            # A message that names another row counts in the pairs drawn, which nobody can look up.
            what = "" if " row " in finding.message else f": {finding.message}"
            say(f"warning: {findings.counts[code]} x {code}, first in row {_number(finding, numbers)}{what}")
    if seen := first.get("PF414"):
        say(f"signal: {seen.message.split(';')[0]}")


def _number(finding: Any, numbers: Sequence[int]) -> str:
    return "-" if finding.row is None else str(numbers[finding.row])


@dataclass(frozen=True)
class Lengths:
    """How many tokens batches have: `pairs` places in the data set of a typical one; both padded to their longest."""

    pairs: Sequence[int]
    typical: int
    longest: int
    mean: float

    @classmethod
    def of(cls, trainer: Any) -> Lengths:
        """Looks at the trainer's tokenised pairs; draws nothing from torch's random generators."""
        data, limit = trainer.train_dataset, trainer.args.max_length or sys.maxsize
        columns = zip(data["prompt_ids"], data["chosen_ids"], data["rejected_ids"], strict=True)
        sides = [[min(len(prompt) + len(side), limit) for side in both] for prompt, *both in columns]
        batch = min(trainer.args.per_device_train_batch_size, len(sides))
        draw = random.Random(0)
        drawn = [draw.sample(range(len(sides)), batch) for _ in range(_DRAWS)]
        padded = [2 * batch * max(max(sides[index]) for index in pairs) for pairs in drawn]
        mean = sum(padded) / _DRAWS
        near = min(range(_DRAWS), key=lambda number: abs(padded[number] - mean))
        longest = 2 * batch * max(map(max, sides))
        return cls(drawn[near], padded[near], longest, batch * sum(map(sum, sides)) / len(sides))


def steps(trainer: Any) -> int:
    """How many times the weights are changed."""
    args = trainer.args
    if args.max_steps > 0:
        return int(args.max_steps)
    batches = math.ceil(len(trainer.train_dataset) / (args.per_device_train_batch_size * args.world_size))
    each: int = math.ceil(batches / args.gradient_accumulation_steps)
    return math.ceil(float(args.num_train_epochs) * each)


def memory(trainer: Any, tokens: int) -> dict[str, float]:
    """Bytes at the peak of a step, part by part; `tokens` are those of the longest batch, padding included.

    Every parameter once for its weight, and where it is trained once more for its gradient and twice for AdamW's two
    moments, in its own precision; the reference unless there is none (LoRA, precomputed log-probabilities); under
    autocast a 16-bit copy of the weights; then `activations` and `logits`. Another optimizer takes less or more.
    """
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
        "logits": logits(config.vocab_size, tokens, hasattr(_trl_utils(), "add_fused_lm_head")),
    }
    if args.device.type == "cpu":
        parts = {"program": max(0, resident() - parts["weights"] - parts["reference"]), **parts}
    return {name: size for name, size in parts.items() if size}


def activations(config: Any, tokens: int, width: int, checkpointing: bool) -> float:
    """Bytes that the backward pass finds saved, `width` a number.

    A token leaves in each layer about 10 vectors of the hidden size (two norms in float32, the inputs of the
    projections, the attention's output), queries, keys and values with keys and values spread to all heads, and 4
    vectors of the feed-forward's inner size: counted on Llama-like layers. With gradient checkpointing, the input of
    each layer and the inside of one.
    """
    hidden, layers = config.hidden_size, config.num_hidden_layers
    heads = getattr(config, "num_attention_heads", 1)
    attention = heads * (getattr(config, "head_dim", None) or hidden // heads)
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    inner *= getattr(config, "num_experts_per_tok", None) or 1
    inside = 10 * hidden + 4 * attention + 4 * inner
    each = layers * hidden + inside if checkpointing else layers * inside
    return float(tokens * width * each)


def logits(vocabulary: int, tokens: int, fused: bool) -> float:
    """Bytes of the scores of all tokens, their log-probabilities and gradients, in float32.

    TRL's fused head holds a tile of them only.
    """
    if fused:
        vocabulary, tokens = min(vocabulary, _TILE_VOCABULARY), min(tokens, _TILE_TOKENS)
    return 3.0 * 4 * vocabulary * tokens


def resident() -> int:
    """Bytes of main memory that this process has now; 0 where the system doesn't tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def seconds(trainer: Any, pairs: Sequence[int]) -> tuple[float, float]:
    """How long a step takes, and how long it took to find out: a batch goes forward once without being learned from.

    A forward pass of model and reference is timed as the trainer does it, after one to warm up; the backward pass
    takes twice the model's forward, once where only an adapter is trained, and once more with gradient checkpointing.
    Neither weights nor random generators are touched.
    """
    begun = time.monotonic()
    batch = trainer.data_collator([trainer.train_dataset[index] for index in pairs])
    batch = {name: tensor.to(trainer.args.device) for name, tensor in batch.items()}
    with _unseen(trainer):
        for _ in range(2):
            start = time.monotonic()
            float(trainer.compute_loss(trainer.model, dict(batch)))
            forward = time.monotonic() - start
    alone = forward if trainer.args.precompute_ref_log_probs else forward / 2
    frozen = any(not one.requires_grad for one in trainer.model.parameters())
    backward = alone * ((1 if frozen else 2) + bool(trainer.args.gradient_checkpointing))
    return (forward + backward) * trainer.args.gradient_accumulation_steps, time.monotonic() - begun


@contextmanager
def _unseen(trainer: Any) -> Iterator[None]:
    """What is computed here leaves the trainer as it was: its metrics go to those of an evaluation, and are dropped."""
    import torch

    was = trainer.model.training
    trainer.model.eval()
    try:
        with torch.random.fork_rng(), torch.no_grad(), trainer.accelerator.autocast():
            yield
    finally:
        trainer.model.train(was)
        trainer._metrics["eval"].clear()


def tell(trainer: Any, done: int = 0) -> None:
    """Says what is ahead; `done` steps are behind already."""
    lengths, ahead = Lengths.of(trainer), steps(trainer) - done
    args = trainer.args
    together = args.gradient_accumulation_steps * args.world_size
    pairs = args.per_device_train_batch_size * together
    size = f"about {lengths.mean * together:,.0f} tokens each, {lengths.longest * together:,} padded at most"
    say(f"steps: {ahead} of {pairs} pairs, {size}")
    count = {one: sum(p.numel() for p in trainer.model.parameters() if p.requires_grad or one) for one in (True, False)}
    say(f"parameters: {count[False]:,} trained of {count[True]:,}")
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        say("no estimate of memory and time under FSDP or DeepSpeed")
        return
    parts = memory(trainer, lengths.longest)
    each = " a process" if args.world_size > 1 else ""
    say(f"memory: about {_size(sum(parts.values()))}{each}: {', '.join(f'{n} {_size(s)}' for n, s in parts.items())}")
    step, cost = seconds(trainer, lengths.pairs)
    measured = f"by a forward pass of {lengths.typical:,} tokens, which took {cost:.1f} s to measure"
    say(f"time: about {_time(step * ahead)}, {measured}")


def _bytes(parameters: Any) -> int:
    return sum(one.numel() * one.element_size() for one in parameters)


def _size(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _time(span: float) -> str:
    if span < 120:
        return f"{span:.0f} s"
    return f"{span / 60:.0f} min" if span < 7200 else f"{span / 3600:.1f} h"


def _trl_utils() -> Any:
    from trl.trainer import utils

    return utils
