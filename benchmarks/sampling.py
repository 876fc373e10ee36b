"""Measure how fast answers are sampled: pairforge's engine beside other ways, on the same work, by CPU seconds.

    python benchmarks/sampling.py                        # a model of Qwen2.5-0.5B's shape: 30 CPU minutes
    python benchmarks/sampling.py --work smollm2 pocket  # other models
    python benchmarks/sampling.py --work pocket --prompts 100 --folder /tmp/small      # a test

Every way runs in a process of its own, on one core, and makes the same tokens: each answer has a length of its own
(mean 80, at most 300, skewed, as answers are), at which it ends, and no other end. The slow ways get fewer prompts,
with lengths of the same distribution. What is counted is the CPU seconds of the process while it generates, after one
short answer. transformers computes in the type of the checkpoint, bfloat16, as it does by default, and once more in
float32; pairforge in the type that it takes for this CPU. Each measurement is kept in --folder, so that a stopped
benchmark goes on; with --rounds the ways take turns, and the best round counts. The roofline is what the machine's
memory bandwidth and its matrix products allow.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import NormalDist
from tempfile import TemporaryDirectory
from typing import Any

from records import ROOT, machine, named, put, show

MARKS = ("<!-- table: python benchmarks/sampling.py -->", "<!-- end -->")
WAYS = {
    "loop": ("the notebook's loop: `generate`, one prompt at a time", 0.05, "bfloat16"),
    "loop float32": ("the same in float32", 0.05, "float32"),
    "generate": ("`generate` in batches of 16", 0.25, "bfloat16"),
    "continuous": ("transformers' continuous batching", 1.0, "bfloat16"),
    "continuous float32": ("the same in float32", 1.0, "float32"),
    "pairforge": ("pairforge", 1.0, "auto"),
    "pairforge n=4": ("pairforge, n = 4 at temperature 1", 0.25, "auto"),
    "pairforge n=1": ("pairforge, n = 1 at temperature 1", 0.25, "auto"),
    "openvino": ("pairforge with `--backend openvino`", 1.0, "float32"),
}
"""What each way is called in the table, the share of the prompts that it gets, and the type that it computes in."""
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


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Return the tokens, the CPU seconds and the seconds of one way."""
    import torch

    from pairforge.samplers.decoding import Decoding
    from pairforge.samplers.hardware import pick_dtype
    from pairforge.samplers.transformers import TransformersSampler

    os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    torch.set_num_threads(1)
    work, way = options.work[0], options.way
    if way == "roofline":
        return roofline()
    _, share, dtype = WAYS[way]
    count = given(options.prompts[0], share)
    sampler = TransformersSampler("pocket" if work == "qwen2.5-0.5b" else work, dtype="float32")
    asked = prompts(sampler, count)
    model = random_model() if work == "qwen2.5-0.5b" else sampler.local.model
    size = model.num_parameters()
    model = model.to(pick_dtype(dtype, model.device, torch.bfloat16, size))
    model.generation_config.eos_token_id = []
    model.generation_config.pad_token_id = 0
    n, decoding = (4 if way.endswith("n=4") else 1), Decoding(temperature=1.0 if "n=" in way else 0.0)
    wanted = lengths(count)
    with way_of(way, model, n, decoding) as run:
        run(asked[:1], [4])
        wall, cpu = time.perf_counter(), time.process_time()
        run(asked, wanted)
        spent = {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - wall, "load": os.getloadavg()[0]}
    made_by = {"parameters": size, "bits": 8 * model.dtype.itemsize}
    return {"tokens": n * sum(wanted), **spent, **made_by}


Run = Callable[[Sequence[Sequence[int]], Sequence[int]], None]


@contextmanager
def way_of(way: str, model: Any, n: int, decoding: Any) -> Iterator[Run]:
    """Yield what makes answers of given lengths for given prompts."""
    works = {"loop": by_loop, "generate": by_batches, "continuous": by_continuous}
    if way == "openvino":
        with TemporaryDirectory() as folder:
            yield by_openvino(model, Path(folder) / "openvino")
    elif by := works.get(way.split()[0]):
        yield partial(by, model)
    else:
        yield lambda asked, wanted: by_engine(model, asked, wanted, n, decoding)


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
    room = ContinuousBatchingConfig(max_memory_percent=0.2, max_batch_tokens=1024)
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


def by_engine(model: Any, asked: Sequence[Sequence[int]], wanted: Sequence[int], n: int, decoding: Any) -> None:
    from pairforge.samplers.engine import generate
    from pairforge.samplers.hardware import BatchSizer, lay_out_weights
    from pairforge.samplers.rows import Row

    lay_out_weights(model)  # as where a model is loaded
    rows = [
        Row((str(i), index), ids, length)
        for i, (ids, length) in enumerate(zip(asked, wanted, strict=True))
        for index in range(n)
    ]
    for _ in generate(model, rows, decoding, None, BatchSizer.of(model, None)):
        pass


def by_openvino(model: Any, folder: Path) -> Run:
    from pairforge.samplers.continuous_batching import TokenRequest
    from pairforge.samplers.decoding import GREEDY
    from pairforge.samplers.openvino import OpenVinoEngine, _pipeline, convert

    convert(model, folder)
    engine = OpenVinoEngine(_pipeline(folder, "f32", 128))

    def run(asked: Sequence[Sequence[int]], wanted: Sequence[int]) -> None:
        for i, (ids, length) in enumerate(zip(asked, wanted, strict=True)):
            no_token = model.config.vocab_size
            engine.add((str(i), 0), TokenRequest(ids, length, GREEDY, 0, [no_token]))
        ended: list[int] = []
        while len(ended) < len(asked):
            ended += [len(made[0]) for made in engine.step().values()]
        if sorted(ended) != sorted(wanted):
            raise SystemExit("OpenVINO has made answers of other lengths")

    return run


def roofline() -> dict[str, float]:
    """Return the bytes a second that one thread reads, and the products a second that it makes in each type."""
    import torch

    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        weights, rows = torch.zeros(64, 1024, 4096, dtype=dtype), torch.zeros(128, 4096, dtype=dtype)
        torch.nn.functional.linear(rows, weights[0])
        start = time.process_time()
        for weight in weights[:16]:
            torch.nn.functional.linear(rows, weight)
        found[str(dtype)] = 16 * 128 * 1024 * 4096 / (time.process_time() - start)
    start = time.process_time()
    weights.view(torch.int64).sum()
    return {"bytes": weights.nbytes / (time.process_time() - start), **found}


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
    missing, records = ["llama.cpp", "distilabel"], list[dict[str, float]]()
    for way, (title, share, _) in WAYS.items():
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
        size, most = records[0]["parameters"], {name: max(one[name] for one in machines) for name in machines[0]}
        floats, halves = most["torch.float32"], most["torch.bfloat16"]
        said.append(
            f"Roofline: a thread reads {most['bytes'] / 1e9:.1f} GB in a second, which are the weights in bfloat16 for "
            f"{most['bytes'] / 2 / size:.0f} steps. It makes {floats / 1e9:.0f} billion products in float32 and "
            f"{halves / 1e9:.0f} in bfloat16, which are those of {floats / size:.0f} and {halves / size:.0f} tokens."
        )
    return "\n".join([*lines, "", *said])


if __name__ == "__main__":
    sys.exit(main())
