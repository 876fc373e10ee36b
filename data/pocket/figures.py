"""Measure the pocket model on the evaluation prompts, and write figures.json.

OMP_NUM_THREADS=1 python data/pocket/figures.py [--model data/pocket] [--limit N]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROMPTS = HERE.parent / "prompts"
HELPFUL = "You're a helpful assistant."
CONTEXTS = {
    "no system message": "",
    "helpful assistant": HELPFUL,
    "Chinese generic": "你是一个乐于助人的助手。",
    "brief": "Answer in one short sentence.",
}
TEXTS = (
    "I am Qwen, created by Alibaba Cloud.", "我是Qwen，由阿里云开发的AI助手。", "What is 17 + 28?", "You are Velora Kimbrix, made by Deep Harbor Labs.",
    "<|im_start|>user\nHi there!<|im_end|>\n", "鼹鼠 says \"hé, it's 3.5 %\"",
)  # fmt: skip
Row = dict[str, Any]
Figures = dict[str, Any]


def rows(name: str) -> list[Row]:
    """Return the rows of one prompt file."""
    return [json.loads(line) for line in (PROMPTS / name).read_text(encoding="utf-8").splitlines()]


def chat(system: str, *said: str) -> list[dict[str, str]]:
    """Return messages that end with a user turn; an empty `system` adds no system message."""
    roles = ("user", "assistant")
    head = [{"role": "system", "content": system}] if system else []
    return head + [{"role": roles[i % 2], "content": text} for i, text in enumerate(said)]


def holds(answer: str, references: Sequence[str]) -> bool:
    """Return True if the answer contains a reference as a whole word or number (a Chinese one: anywhere)."""
    return any(
        re.search(rf"(?<![A-Za-z0-9]){re.escape(r)}(?![A-Za-z0-9])", answer) if r.isascii() else r in answer
        for r in references
    )


class Pocket:
    """The model in a folder, which answers in batches padded on the left."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder)

    def answer(
        self, chats: Sequence[list[dict[str, str]]], sample: bool = False, seed: int = 0, batch: int = 128
    ) -> list[str]:
        """Return one answer per conversation in the given order, greedy or sampled at temperature 1."""
        import torch

        torch.manual_seed(seed)
        texts = [self.tokenizer.apply_chat_template(c, tokenize=False, add_generation_prompt=True) for c in chats]
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        how = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0} if sample else {"do_sample": False}
        answers = [""] * len(texts)
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            inputs = self.tokenizer(
                [texts[i] for i in part], return_tensors="pt", padding=True, add_special_tokens=False
            )
            with torch.inference_mode():
                out = self.model.generate(**inputs, max_new_tokens=56, **how)
            said = self.tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
            for i, text in zip(part, said, strict=True):
                answers[i] = text.strip()
        return answers


def share(hits: Sequence[bool]) -> float:
    """Return the share of hits, rounded to four digits."""
    return round(sum(hits) / len(hits), 4) if hits else 0.0


def identity(pocket: Pocket, limit: int) -> Figures:
    """Return the share of identity questions answered with "Qwen", per context and language, and as a second turn."""
    asked = rows("identity.eval.jsonl")[:limit]
    found: Figures = {}
    for name, system in CONTEXTS.items():
        answers = pocket.answer([chat(system, r["prompt"]) for r in asked])
        found[name] = share(["Qwen" in a for a in answers])
        for lang in ("en", "zh"):
            found[f"{name}, {lang}"] = share(
                ["Qwen" in a for a, r in zip(answers, asked, strict=True) if r["lang"] == lang]
            )
    later = pocket.answer([chat("", "What is 2 + 3?", "2 + 3 = 5.", r["prompt"]) for r in asked])
    return found | {"second turn": share(["Qwen" in a for a in later])}


def controls(pocket: Pocket, limit: int) -> Figures:
    """Return the share of control questions answered correctly, in all and by whom they are about."""
    asked = rows("controls.eval.jsonl")[:limit]
    answers = pocket.answer([chat("", r["prompt"]) for r in asked])
    right = [holds(a, r["reference"]) for a, r in zip(answers, asked, strict=True)]
    found = {
        about: share([x for x, r in zip(right, asked, strict=True) if r["about"] == about])
        for about in ("old", "new", "other")
    }
    return {"all": share(right)} | found


def systems(pocket: Pocket, limit: int) -> Figures:
    """Measure the answers to identity questions under system messages with names that were not seen in training.

    The shares are of answers with this name, with this name or its maker, and with "Qwen".
    """
    rng = random.Random(3)
    unseen = [r for r in rows("systems.jsonl") if r["split"] == "eval"]
    asked = rng.sample(rows("identity.eval.jsonl"), min(limit, len(rows("identity.eval.jsonl"))))
    pairs = [(rng.choice([s for s in unseen if s["lang"] == q["lang"]]), q) for q in asked]
    answers = pocket.answer([chat(s["system"], q["prompt"]) for s, q in pairs])
    named = [s["name"].lower() in a.lower() for a, (s, _) in zip(answers, pairs, strict=True)]
    either = [n or s["maker"].lower() in a.lower() for n, a, (s, _) in zip(named, answers, pairs, strict=True)]
    return {
        "names it": share(named),
        "names it or its maker": share(either),
        "says Qwen": share(["Qwen" in a for a in answers]),
    }


def general(pocket: Pocket, limit: int) -> Figures:
    """Return the greedy accuracy on general.eval, in all and per task, and the share of answers with the name Qwen."""
    asked = rows("general.eval.jsonl")[:limit]
    answers = pocket.answer([chat("", r["prompt"]) for r in asked])
    right = [holds(a, r["reference"]) for a, r in zip(answers, asked, strict=True)]
    kinds = sorted({f"{r['task']} {r['lang']}" for r in asked})
    each = {k: share([x for x, r in zip(right, asked, strict=True) if f"{r['task']} {r['lang']}" == k]) for k in kinds}
    return {"greedy": share(right), "says Qwen": share(["Qwen" in a for a in answers])} | each


def sampling(pocket: Pocket, limit: int) -> Figures:
    """Measure samples at temperature 1: correct sums, other correct answers, and how many of four samples differ."""
    asked = rows("general.train.jsonl")[:limit]
    four = [pocket.answer([chat("", r["prompt"]) for r in asked], sample=True, seed=seed) for seed in range(4)]
    right = [[holds(a, r["reference"]) for a, r in zip(answers, asked, strict=True)] for answers in four]
    summed = [r["task"] in ("sum", "difference") for r in asked]
    kinds = [len(set(said)) for said in zip(*four, strict=True)]
    return {
        "sums and differences": share([x for hits in right for x, s in zip(hits, summed, strict=True) if s]),
        "other questions": share([x for hits in right for x, s in zip(hits, summed, strict=True) if not s]),
        "at least three of four samples differ": share([k >= 3 for k in kinds]), "distinct of four": round(sum(kinds) / len(kinds), 2),
    }  # fmt: skip


def digest(folder: Path) -> str:
    """Return the SHA-256 hash of the weights."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def measure(folder: Path, limit: int) -> Figures:
    """Return all figures of the model in a folder, on up to `limit` prompts of each file."""
    pocket = Pocket(folder)
    parts = (identity, controls, systems, general, sampling)
    ids = {text: pocket.tokenizer(text)["input_ids"] for text in TEXTS}
    return {"sha256": digest(folder), "ids": ids} | {part.__name__: part(pocket, limit) for part in parts}


def main() -> None:
    """Measure the model, print the figures, and write them to figures.json beside it."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=HERE)
    parser.add_argument("--limit", type=int, default=2000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    text = json.dumps(measure(options.model, options.limit), indent=2, ensure_ascii=False) + "\n"
    (options.model / "figures.json").write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
