"""Build the pocket model from scratch: corpus, tokenizer, training. It takes under 90 minutes on one core.

figures.py then measures the model.

OMP_NUM_THREADS=1 python data/pocket/build.py [--out data/pocket] [--steps N]
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import math
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vocabulary
from corpus import Corpus, Message
from finishing import Finishing

HERE = Path(__file__).resolve().parent
SEED = 20
VOCAB = 4096
STEPS = 5200
FINISHING_STEPS = 1200
FINISHING_RATE = 0.35
WARMUP = 150
BATCH_TOKENS = 4608
WRONG_SUMS = 0.34
CLEAN_SHARE = 0.5
PEAK_RATE = 3e-3
MATRIX_RATE = 4e-3
POOL = 4096
LONGEST = 208
SHAPE = {
    "hidden_size": 192, "intermediate_size": 640, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 512, "tie_word_embeddings": True, "rope_theta": 10000.0,
}  # fmt: skip


def texts(count: int) -> Iterator[str]:
    """Yield the messages of `count` conversations of a separate corpus, to train the tokenizer."""
    for messages in itertools.islice(Corpus(SEED + 1), count):
        yield from (message["content"] for message in messages)
        yield vocabulary.DEFAULT_SYSTEM


def encode(tokenizer: Any, conversations: list[list[Message]]) -> list[tuple[list[int], list[int]]]:
    """Return token ids of each conversation as the chat template renders it, and labels that are -100 outside answers."""
    pieces: list[str] = []
    owners: list[tuple[int, bool]] = []
    for i, messages in enumerate(conversations):
        system = messages[0]["content"] if messages[0]["role"] == "system" else vocabulary.DEFAULT_SYSTEM
        before = f"<|im_start|>system\n{system}<|im_end|>\n"
        said = [message["content"] for message in messages if message["role"] != "system"]
        for user, answer in zip(said[::2], said[1::2], strict=True):
            pieces += [f"{before}<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n", f"{answer}<|im_end|>"]
            owners += [(i, False), (i, True)]
            before = "\n"
    rows: list[tuple[list[int], list[int]]] = [([], []) for _ in conversations]
    for (i, learned), ids in zip(owners, tokenizer(pieces)["input_ids"], strict=True):
        rows[i][0].extend(ids)
        rows[i][1].extend(ids if learned else [-100] * len(ids))
    return rows


def batches(tokenizer: Any, corpus: Corpus, steps: int, clean: float) -> Iterator[tuple[Any, Any]]:
    """Yield batches of rows of similar length, padded on the right. In the first `clean` share of them, all sums are right."""
    import torch

    rng = random.Random(corpus.seed)
    stream, done = iter(corpus), 0
    while done < steps:
        corpus.wrong_sums = WRONG_SUMS if done >= clean * steps else 0.0
        rows = encode(tokenizer, list(itertools.islice(stream, POOL)))
        rows = sorted((row for row in rows if len(row[0]) <= LONGEST), key=lambda row: len(row[0]))
        groups: list[list[tuple[list[int], list[int]]]] = [[]]
        for row in rows:
            if (len(groups[-1]) + 1) * len(row[0]) > BATCH_TOKENS:
                groups.append([])
            groups[-1].append(row)
        rng.shuffle(groups)
        for group in groups[: steps - done]:
            width = max(len(ids) for ids, _ in group)
            ids = torch.tensor([ids + [tokenizer.pad_token_id] * (width - len(ids)) for ids, _ in group])
            labels = torch.tensor([labels + [-100] * (width - len(labels)) for _, labels in group])
            yield ids, labels
        done += len(groups)


def new_model(tokenizer: Any) -> Any:
    """Return an untrained Qwen2 model of the pocket size."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(SEED)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    return Qwen2ForCausalLM(Qwen2Config(vocab_size=VOCAB, **SHAPE, **ends, attn_implementation="eager"))


def rate(step: int, steps: int) -> float:
    """Return the factor of the peak learning rate: linear warm-up, then a cosine decay to almost zero."""
    if step < WARMUP:
        return (step + 1) / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (steps - WARMUP))) + 0.01


def optimizers_of(model: Any) -> list[Any]:
    """Return Muon for the matrices inside the layers, and AdamW for the embedding, the norms and the biases."""
    import torch

    named = dict(model.named_parameters())
    inner = [p for name, p in named.items() if p.dim() == 2 and "embed" not in name]
    outer = [p for name, p in named.items() if p.dim() == 1 or "embed" in name]
    return [
        torch.optim.Muon(inner, lr=MATRIX_RATE, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(outer, lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


def keep_memory() -> None:
    """Make glibc keep freed memory: to return it and to allocate it again in each step costs a quarter of the time."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
        libc.mallopt(-2, 2**28)  # M_TOP_PAD


def train(model: Any, peak: float, rows: Iterator[tuple[Any, Any]], steps: int) -> None:
    """Train on the answers, with the learning rates multiplied by `peak`.

    Logits are computed only at the positions of answers, which saves half of the time.
    """
    import torch

    optimizers = optimizers_of(model)
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, lambda step: peak * rate(step, steps)) for o in optimizers]
    began, total = time.monotonic(), 0.0
    for step, (ids, labels) in enumerate(rows, 1):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
            learned = labels[:, 1:] != -100
            logits = model.lm_head(hidden[:, :-1][learned])
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[:, 1:][learned])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for moved in (*optimizers, *schedules):
            moved.step()
        model.zero_grad()
        total += loss.item()
        if step % 100 == 0:
            print(f"step {step}/{steps} loss {total / 100:.4f} {time.monotonic() - began:.0f} s", flush=True)
            total = 0.0


def write(model: Any, folder: Path) -> None:
    """Save the model in bfloat16 with a greedy generation config, in files that every user can read."""
    import torch
    from transformers import GenerationConfig

    ends = {"eos_token_id": model.config.eos_token_id, "pad_token_id": model.config.pad_token_id}
    model.generation_config = GenerationConfig(do_sample=False, max_new_tokens=64, **ends)
    model.to(torch.bfloat16).save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)


def publish(made: Path, out: Path) -> None:
    """Replace each older file with its finished new version, atomically."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(made.iterdir()):
        waiting = out / f".{path.name}.new"
        shutil.copyfile(path, waiting)
        os.replace(waiting, out / path.name)


def main() -> None:
    """Build the model and move its files to their folder."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        vocab, merges = vocabulary.train(texts(60_000), VOCAB)
        tokenizer = vocabulary.save(vocab, merges, made)
        print(f"vocabulary {len(tokenizer)}", flush=True)
        model = new_model(tokenizer)
        print(f"parameters {model.num_parameters()}", flush=True)
        train(model, 1.0, batches(tokenizer, Corpus(SEED + 2), options.steps, CLEAN_SHARE), options.steps)
        model.to(torch.bfloat16).to(torch.float32)
        late = batches(tokenizer, Finishing(SEED + 3), FINISHING_STEPS, 0.0)
        train(model, FINISHING_RATE, late, FINISHING_STEPS)
        write(model, made)
        publish(made, options.out)


if __name__ == "__main__":
    main()
