"""The flags as the user gave them, read without TRL: what is there, what is misspelt, what can't be."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairforge import InputError
from trainers.flags import Given


def refused(*words: str) -> str:
    with pytest.raises(InputError) as caught:
        Given.of(words)
    return str(caught.value)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--learnig_rate", "--learning_rate"),
        ("--learnig-rate", "--learning_rate"),
        ("--beat", "--beta"),
        ("--lr", "--learning_rate"),
        ("--epochs", "--num_train_epochs"),
        ("--batch-size", "--per_device_train_batch_size"),
        ("--output", "--output_dir"),
        ("--datset", "--dataset"),
        ("--ovrwrite", "--overwrite"),
    ],
)
def test_a_misspelt_flag_has_a_hint(word: str, meant: str) -> None:
    said = refused(word, "1")
    assert f"there is no flag {word}" in said
    assert meant in said.partition("did you mean")[2]


def test_values_that_can_not_be_are_refused() -> None:
    assert "--beta x is not a number" in refused("--beta", "x")
    assert "--max_steps 1.5 is not a whole number" in refused("--max-steps", "1.5")
    assert "--bf16 maybe is not true or false" in refused("--bf16=maybe")
    assert "--guard sometimes is not one of stop, warn, off" in refused("--guard", "sometimes")
    assert "did you mean 'steps'" in refused("--save_strategy", "step")
    assert "--beta needs a value" in refused("--beta")
    assert "'mine.jsonl' belongs to no flag (if these are the pairs: --dataset mine.jsonl)" in refused("mine.jsonl")
    assert "'mine.jsonl' belongs to no flag" in refused("--use_peft", "true", "mine.jsonl")
    for flag in ("--max_samples", "--verdict_questions", "--dpop_lambda"):
        assert f"{flag} must be at least" in refused(flag, "-1")


def test_each_spelling_is_read() -> None:
    given = Given.of(
        ["-m", "base", "--dataset-name=mine.jsonl", "--use-peft", "--beta", "0.3", "--loss_type", "a", "b"]
    )
    assert (given.text("model_name_or_path"), given.text("dataset_name")) == ("base", "mine.jsonl")
    assert given.on("use_peft") and not given.on("bf16")
    assert (given.number("beta"), given.number("max_steps"), given.texts("loss_type")) == (0.3, None, ["a", "b"])
    assert not Given.of(["--no_gradient_checkpointing"]).on("gradient_checkpointing")
    assert Given.of(["--max_length", "none"]).number("max_length") is None


def test_a_file_of_flags_is_read_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("beta: 0.3\nguard: off\nloss_type: [sigmoid, sft]\nuse_peft: true\nenv: {A: b}\n")
    given = Given.of(["--config", str(file), "--beta", "0.4"])
    assert (given.number("beta"), given.text("guard"), given.on("use_peft")) == (0.4, "off", True)
    assert given.texts("loss_type") == ["sigmoid", "sft"]
    file.write_text("bata: 0.3\n")
    assert "there is no flag bata (did you mean 'beta'" in refused(f"--config={file}")
    file.write_text("beta: much\n")
    assert "--beta much is not a number" in refused("--config", str(file))
    file.write_text("[1, 2]")
    assert "is not a mapping" in refused("--config", str(file))
    file.write_text("a: [")
    assert "is not YAML" in refused("--config", str(file))
    assert "No such file" in refused("--config", str(tmp_path / "nothing.yaml"))
