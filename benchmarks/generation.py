"""Measure the time to sample n answers per prompt: pairforge's engine against transformers' `generate`, on one model.

    python benchmarks/generation.py                      # the pocket model, one thread
    python benchmarks/generation.py --model ORG/NAME --threads 8 --json

Three methods are compared: the engine; `generate` with num_return_sequences=n over the same batches; and `generate`
for one answer at a time. Answers end by themselves, or they all have the maximum length (then the engine saves no
time by removing finished rows). The times are the best of the rounds, in seconds; the ratios show how many times
longer the other methods take.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import torch
from transformers import GenerationConfig

from pairforge.prompts import bundled
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.generate import generate
from pairforge.samplers.transformers import TransformersSampler
from pairforge.types import Message, Prompt, Skip

NEW_TOKENS = 64


def prompts(sampler: TransformersSampler, count: int, tokens: int) -> list[list[int]]:
    """Return `count` conversations of about `tokens` tokens, each of which ends with a different question."""
    questions = [prompt.question for prompt in bundled("general.train") if prompt.question.isascii()]
    made = []
    for number in range(count):
        turns: list[Message] = []
        ids: list[int] = []
        for question in questions[number * 7 :]:
            last = [*turns, Message(role="user", content=question)]
            longer = sampler.local.chat.encode(Prompt(tuple(last)))
            if isinstance(longer, Skip) or len(longer) > tokens:
                break
            turns, ids = [*last, Message(role="assistant", content="I see.")], longer
        made.append(ids)
    return sorted(made, key=len)


def by_engine(model: Any, rows: Sequence[Sequence[int]], n: int, decode: Callable[..., str]) -> int:
    repeated = [row for row in rows for _ in range(n)]
    made = generate(model, repeated, range(len(repeated)), Decoding(max_new_tokens=NEW_TOKENS, temperature=1.0), decode)
    return sum(len(row.tokens) for row in made)


def by_transformers(model: Any, rows: Sequence[Sequence[int]], n: int) -> int:
    width, pad = max(map(len, rows)), model.generation_config.pad_token_id
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=model.device)
    settings = GenerationConfig(
        max_new_tokens=NEW_TOKENS,
        do_sample=True,
        num_return_sequences=n,
        eos_token_id=model.generation_config.eos_token_id or None,
        pad_token_id=pad,
    )
    with torch.inference_mode():
        output = model.generate(ids, attention_mask=mask, generation_config=settings)[:, width:].tolist()
    ends = set(model.generation_config.eos_token_id)
    return sum(next((i for i, token in enumerate(row) if token in ends), len(row)) for row in output)


def one_by_one(model: Any, rows: Sequence[Sequence[int]], n: int) -> int:
    return sum(by_transformers(model, [row], 1) for row in rows for _ in range(n))


def best(work: Callable[[], int], rounds: int) -> tuple[float, int]:
    """Return the seconds of the fastest round, and the number of tokens that the last round generated."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        tokens = work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times), tokens


def measure(sampler: TransformersSampler, n: int, length: int, whole: bool, rows: int, rounds: int) -> dict[str, Any]:
    model, asked = sampler.local.model, prompts(sampler, rows // n, length)
    ends = model.generation_config.eos_token_id
    model.generation_config.eos_token_id = ends if whole else []
    engine, tokens = best(lambda: by_engine(model, asked, n, sampler.local.chat.decode), rounds)
    batched, _ = best(lambda: by_transformers(model, asked, n), rounds)
    single, _ = best(lambda: one_by_one(model, asked, n), 1)
    model.generation_config.eos_token_id = ends
    return {
        "n": n,
        "prompt_tokens": sum(map(len, asked)) / len(asked),
        "new_tokens": tokens / rows,
        "engine_s": engine,
        "generate_s": batched,
        "one_by_one_s": single,
        "generate_ratio": batched / engine,
        "one_by_one_ratio": single / engine,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--rows", type=int, default=64, help="prompts times n")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sampler = TransformersSampler(arguments.model)
    machine = {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, {arguments.threads} threads",
        "device": str(sampler.local.model.device),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers")},
    }
    found = []
    if not arguments.json:
        print("  n  prompt    new   engine  generate  one by one", flush=True)
    for n, length, whole in ((n, length, whole) for n in (4, 8) for length in (400, 60) for whole in (True, False)):
        row = measure(sampler, n, length, whole, arguments.rows, arguments.rounds)
        found.append(row)
        if not arguments.json:
            print(
                f"{n:3d}  {row['prompt_tokens']:6.0f}  {row['new_tokens']:5.1f}  {row['engine_s']:6.2f} s"
                f"  x {row['generate_ratio']:4.1f}    x {row['one_by_one_ratio']:5.1f}",
                flush=True,
            )
    print(json.dumps({**machine, "rows": found}) if arguments.json else machine)


if __name__ == "__main__":
    main()
