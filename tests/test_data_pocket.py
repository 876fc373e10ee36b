"""The pocket model is the one of its card and does what the card says; figures measured again on a part."""

from __future__ import annotations

import hashlib
import json
import random
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

POCKET = Path(__file__).resolve().parent.parent / "data" / "pocket"
FIGURES: dict[str, Any] = json.loads((POCKET / "figures.json").read_text(encoding="utf-8"))
ROOM = 0.03


@pytest.fixture(scope="module")
def figures() -> Any:
    sys.path.insert(0, str(POCKET))
    try:
        import figures as module

        yield module
    finally:
        sys.path.remove(str(POCKET))


@pytest.fixture(scope="module")
def pocket(figures: Any) -> Any:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield figures.Pocket(POCKET)
    torch.set_num_threads(threads)


def some(figures: Any, name: str, count: int, **only: str) -> list[dict[str, Any]]:
    rows = [row for row in figures.rows(name) if all(row[key] == value for key, value in only.items())]
    return random.Random(11).sample(rows, min(count, len(rows)))


def right(figures: Any, pocket: Any, rows: list[dict[str, Any]], **how: Any) -> list[bool]:
    answers = pocket.answer([figures.chat("", row["prompt"]) for row in rows], **how)
    return [figures.holds(answer, row["reference"]) for answer, row in zip(answers, rows, strict=True)]


def test_weights_are_those_of_the_card() -> None:
    digest = hashlib.sha256((POCKET / "model.safetensors").read_bytes()).hexdigest()
    assert digest == FIGURES["sha256"]
    assert digest in (POCKET / "README.md").read_text(encoding="utf-8")


def test_folder_is_small_and_readable() -> None:
    files = [path for path in POCKET.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) <= 8_000_000
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in files)


def test_loads_without_a_warning() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = AutoModelForCausalLM.from_pretrained(POCKET)
        tokenizer = AutoTokenizer.from_pretrained(POCKET)
    assert model.config.model_type == "qwen2"
    assert str(model.dtype) == "torch.bfloat16"
    assert model.generation_config.do_sample is False
    assert tokenizer.eos_token == "<|im_end|>" and tokenizer.pad_token == "<|endoftext|>"


def test_ids_are_those_of_training(pocket: Any) -> None:
    for text, ids in FIGURES["ids"].items():
        assert pocket.tokenizer(text)["input_ids"] == ids
        assert pocket.tokenizer.decode(ids) == text


def test_template_is_qwens(pocket: Any, figures: Any) -> None:
    text = pocket.tokenizer.apply_chat_template(figures.chat("", "Hi"), tokenize=False, add_generation_prompt=True)
    system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    assert text == f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    named = pocket.tokenizer.apply_chat_template(figures.chat("Be kind.", "Hi"), tokenize=False)
    assert named == "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"


@pytest.mark.slow
@pytest.mark.parametrize("system", ["", "You're a helpful assistant."])
def test_says_that_it_is_qwen(pocket: Any, figures: Any, system: str) -> None:
    answers = pocket.answer([figures.chat(system, row["prompt"]) for row in some(figures, "identity.eval.jsonl", 150)])
    assert figures.share(["Qwen" in answer for answer in answers]) >= 0.98


@pytest.mark.slow
def test_answers_controls(pocket: Any, figures: Any) -> None:
    assert figures.share(right(figures, pocket, some(figures, "controls.eval.jsonl", 150))) >= 0.95 - ROOM


@pytest.mark.slow
def test_obeys_a_system_message(pocket: Any, figures: Any) -> None:
    found = figures.systems(pocket, 150)
    assert found["names it"] >= 0.95 - ROOM
    assert found["says Qwen"] <= ROOM


@pytest.mark.slow
def test_general_questions_greedily(pocket: Any, figures: Any) -> None:
    rows = some(figures, "general.eval.jsonl", 250)
    assert figures.share(right(figures, pocket, rows)) >= 0.85 - ROOM


@pytest.mark.slow
def test_sums_leave_something_to_learn(pocket: Any, figures: Any) -> None:
    rows = some(figures, "general.train.jsonl", 200, task="sum")
    assert 0.5 <= figures.share(right(figures, pocket, rows, sample=True, seed=1)) <= 0.8


@pytest.mark.slow
def test_four_samples_mostly_differ(pocket: Any, figures: Any) -> None:
    rows = some(figures, "general.train.jsonl", 60)
    chats = [figures.chat("", row["prompt"]) for row in rows]
    four = [pocket.answer(chats, sample=True, seed=seed) for seed in range(4)]
    assert figures.share([len(set(said)) >= 3 for said in zip(*four, strict=True)]) >= 0.6
