"""Measure how fast answers are sampled: pairforge's engine beside other ways, on the same work, by CPU seconds.

    python benchmarks/sampling.py                        # a model of Qwen2.5-0.5B's shape: 15 CPU minutes
    python benchmarks/sampling.py --work smollm2 pocket  # other models
    python benchmarks/sampling.py --work pocket --prompts 100 --folder /tmp/small      # a test

Every way runs in a process of its own, on one thread, and makes the same tokens: each answer has a length of its own
(mean 80, at most 300, skewed, as answers are), at which it ends, and no other end. The slow ways get fewer prompts,
with lengths of the same distribution. What is counted is the CPU seconds of the process while it generates, after one
short answer. Each measurement is kept in --folder, so that a stopped benchmark goes on; with --rounds the ways take
turns, and the best round counts. The roofline is what the machine's memory bandwidth and its matrix products allow.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

from records import ROOT, machine, named, put, show

MARKS = ("<!-- table: python benchmarks/sampling.py -->", "<!-- end -->")
WAYS = {
    "loop": ("the notebook's loop: `generate`, one prompt at a time", 0.05),
    "generate": ("`generate` in batches of 16", 0.25),
    "continuous": ("transformers' continuous batching", 1.0),
    "pairforge": ("pairforge", 1.0),
    "pairforge n=4": ("pairforge, n = 4 at temperature 1", 0.25),
    "pairforge n=1": ("pairforge, n = 1 at temperature 1", 0.25),
}
"""What each way is called in the table, and the share of the prompts that it gets."""
SHAPE = {
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": True,
}


def main() -> int:
    options = parse()
    if options.way:
        print(json.dumps(measured(options)))
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    for turn in range(options.rounds):
        for work in options.work:
            for way in ("roofline", *WAYS):
                for prompts in options.prompts if way == "pairforge" else options.prompts[:1]:
                    part(options, work, way, prompts, turn)
    tables = [table(options, work) for work in options.work]
    found = {"command": "python benchmarks/sampling.py", **machine()}
    text = "\n\n".join([*tables, f"{named(found)}."])
    print(text)
    if options.docs:
        show(ROOT / "docs" / "sampling.md", MARKS, text)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    models = ["qwen2.5-0.5b", "smollm2", "pocket"]
    parser.add_argument("--work", nargs="+", choices=models, default=models[:1], help="the models")
    parser.add_argument("--prompts", type=int, nargs="+", default=[128], help="e.g. 100 1000 10000 (default: 128)")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("pairforge-out/sampling"), help="folder for measurements")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/sampling.md")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    return parser.parse_args()


def part(options: argparse.Namespace, work: str, way: str, prompts: int, turn: int) -> None:
    """Measure one way once, in a process of its own, unless that has been done."""
    file = options.folder / f"{work} {way} {prompts} {turn}.json"
    if file.exists():
        return
    command = [sys.executable, __file__, "--way", way, "--work", work, "--prompts", str(prompts)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode == 0:
        put(file, done.stdout.splitlines()[-1])
    print(f"{file.stem}: {done.stdout.splitlines()[-1] if done.returncode == 0 else 'failed'}", file=sys.stderr)


def given(prompts: int, share: float) -> int:
    """Return how many of the prompts a way gets."""
    return max(4, round(prompts * share))


def measured(options: argparse.Namespace) -> dict[str, float]:
    """Return the tokens, the CPU seconds and the seconds of one way."""
    import torch

    from pairforge.samplers.decoding import Decoding
    from pairforge.samplers.transformers import TransformersSampler

    torch.set_num_threads(1)
    work, way = options.work[0], options.way
    if way == "roofline":
        return roofline()
    count = given(options.prompts[0], WAYS[way][1])
    sampler = TransformersSampler("pocket" if work == "qwen2.5-0.5b" else work)
    asked = prompts(sampler, count)
    model = random_model() if work == "qwen2.5-0.5b" else sampler.local.model
    model.generation_config.eos_token_id = []
    model.generation_config.pad_token_id = 0
    n, temperature = (4 if way.endswith("n=4") else 1), (1.0 if "n=" in way else 0.0)
    works: dict[str, Callable[..., None]] = {"loop": by_loop, "generate": by_batches, "continuous": by_continuous}
    run = works.get(way) or (lambda *given: by_engine(*given, n, Decoding(temperature=temperature)))
    wanted = lengths(count)
    run(model, asked[:1], [4])
    wall, cpu = time.perf_counter(), time.process_time()
    run(model, asked, wanted)
    spent = {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - wall, "load": os.getloadavg()[0]}
    size = {"parameters": model.num_parameters(), "weights": model.num_parameters() * model.dtype.itemsize}
    return {"tokens": n * sum(wanted), **spent, **size}


def prompts(sampler: Any, count: int) -> list[list[int]]:
    """Return the tokens of so many questions: the bundled ones, which are repeated with a number where they end."""
    from pairforge.prompts import bundled
    from pairforge.types import Message, Prompt

    texts = [prompt.question for prompt in bundled("general.train") if prompt.question.isascii()]
    texts = [texts[i % len(texts)] + (f" ({i})" if i >= len(texts) else "") for i in range(count)]
    ids = [sampler.local.chat.encode(Prompt((Message(role="user", content=text),))) for text in texts]
    return sorted(ids, key=len)


def lengths(count: int) -> list[int]:
    """Return lengths of answers in any order: lognormal, mean 80, at most 300, at even quantiles for any count."""
    logarithms = [NormalDist(4.15, 0.75).inv_cdf((i + 0.5) / count) for i in range(count)]
    return random.Random(0).sample([min(300, max(4, round(math.exp(one)))) for one in logarithms], count)


def random_model() -> Any:
    """Return a model of Qwen2.5-0.5B's shape with random weights, in bfloat16."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config
    from transformers.initialization import no_init_weights

    with no_init_weights():
        model = AutoModelForCausalLM.from_config(Qwen2Config(**SHAPE), dtype=torch.bfloat16)
    model.tie_weights()
    torch.manual_seed(0)
    drawn = 0.02 * torch.randn(2**20, dtype=torch.bfloat16)  # repeated: to draw each weight takes minutes
    for weight in model.parameters():
        weight.data = drawn.repeat(-(-weight.numel() // len(drawn)))[: weight.numel()].reshape(weight.shape)
    for name, weight in model.named_parameters():
        if "norm" in name:
            weight.data.fill_(1)
    return model.eval()


def by_loop(model: Any, asked: Sequence[Sequence[int]], wanted: Sequence[int]) -> None:
    import torch

    for ids, length in zip(asked, wanted, strict=True):
        model.generate(torch.tensor([ids]), max_new_tokens=length, do_sample=False)


def by_batches(model: Any, asked: Sequence[Sequence[int]], wanted: Sequence[int], size: int = 16) -> None:
    import torch

    for start in range(0, len(asked), size):
        rows, ends = asked[start : start + size], torch.tensor(wanted[start : start + size])
        width = max(map(len, rows))
        ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])

        def ended(ids: Any, scores: Any, **_: Any) -> Any:
            return ids.shape[1] - width >= ends  # noqa: B023

        model.generate(
            ids, attention_mask=mask, max_new_tokens=int(ends.max()), do_sample=False, stopping_criteria=[ended]
        )


def by_continuous(model: Any, asked: Sequence[Sequence[int]], wanted: Sequence[int]) -> None:
    from transformers import ContinuousBatchingConfig, GenerationConfig

    # By default its cache takes nearly all memory, and the time to clear it would count.
    room = ContinuousBatchingConfig(max_memory_percent=0.1)
    settings = GenerationConfig(do_sample=False, eos_token_id=-1, pad_token_id=0, max_new_tokens=max(wanted))
    with model.continuous_batching_context_manager(
        generation_config=settings, continuous_batching_config=room
    ) as manager:
        for ids, length in zip(asked, wanted, strict=True):
            manager.add_request(list(ids), max_new_tokens=length)
        made = 0
        while made < len(asked):
            result = manager.get_result(timeout=1)
            made += bool(result and result.is_finished())
            if result is None and not manager.is_running():
                raise SystemExit("continuous batching has stopped")


def by_engine(
    model: Any, asked: Sequence[Sequence[int]], wanted: Sequence[int], n: int = 1, decoding: Any = None
) -> None:
    from pairforge.samplers.engine import generate
    from pairforge.samplers.hardware import BatchSizer
    from pairforge.samplers.rows import Row

    rows = [
        Row((str(i), index), ids, length)
        for i, (ids, length) in enumerate(zip(asked, wanted, strict=True))
        for index in range(n)
    ]
    for _ in generate(model, rows, decoding, None, BatchSizer.of(model, None)):
        pass


def roofline() -> dict[str, float]:
    """Return the bytes a second that one thread reads, and the products a second that it makes in bfloat16."""
    import torch

    weights, rows = torch.zeros(64, 1024, 4096, dtype=torch.bfloat16), torch.zeros(64, 4096, dtype=torch.bfloat16)
    start = time.process_time()
    weights.view(torch.int64).sum()
    read = time.process_time() - start
    start = time.process_time()
    for weight in weights[:16]:
        for _ in range(4):
            torch.nn.functional.linear(rows, weight)
    return {"bytes": weights.nbytes / read, "products": 64 * 64 * 1024 * 4096 / (time.process_time() - start)}


def table(options: argparse.Namespace, work: str) -> str:
    """Return a Markdown table of one model, its roofline, and what was not measured."""

    def found(way: str, prompts: int) -> list[dict[str, float]]:
        return [json.loads(file.read_text()) for file in options.folder.glob(f"{work} {way} {prompts} *.json")]

    def best(way: str, prompts: int) -> float | None:
        return max((one["tokens"] / one["cpu"] for one in found(way, prompts)), default=None)

    first = options.prompts[0]
    others = [best("loop", first), best("continuous", first)]
    lines = [
        f"| {work} | prompts | tokens a CPU second | times the loop | times continuous batching |",
        "|---|---|---|---|---|",
    ]
    missing, records = ["llama.cpp", "distilabel", "OpenVINO"], list[dict[str, float]]()
    for way, (title, share) in WAYS.items():
        for prompts in options.prompts:
            if speed := best(way, prompts):
                ratios = " | ".join(f"{speed / other:.1f}" if other else "" for other in others)
                lines.append(f"| {title} | {given(prompts, share)} | {speed:.1f} | {ratios} |")
                records += found(way, prompts)
        missing += [] if best(way, first) else [title]
    said = [f"Not measured: {', '.join(missing)}."]
    if loads := [one["load"] for one in records]:
        said += [
            f"The load of the {os.cpu_count()} cores was {min(loads):.0f} to {max(loads):.0f}: others used them, too."
        ]
    if records and (machines := found("roofline", first)):
        read, products = (max(one[name] for one in machines) for name in ("bytes", "products"))
        by_reading, by_products = 64 * read / records[0]["weights"], products / records[0]["parameters"]
        said += [
            f"Roofline: a thread reads {read / 1e9:.1f} GB and makes {products / 1e9:.0f} billion products in a second;"
        ]
        said += [
            f"that is, with 64 answers at once, {by_reading:.0f} tokens by reading and {by_products:.0f} by products."
        ]
    return "\n".join([*lines, "", *said])


if __name__ == "__main__":
    sys.exit(main())
