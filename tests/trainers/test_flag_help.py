"""The help says what the recipe does, and no other numbers."""

from __future__ import annotations

from trainers import dpo, flags
from trainers.flag_help import all_help, short_help
from trainers.known_flags import trl_flags
from trainers.recipes import recipe


def test_the_defaults_are_those_of_the_recipe() -> None:
    text = " ".join(short_help().split())
    assert "3e-05 for corrections, 0.0001 for other pairs" in text
    assert "0.2 for corrections, 0.1 for other pairs" in text
    assert "sigmoid+sft for corrections, sigmoid for other pairs" in text
    assert "How often to go through the pairs. [default: 1]" in text
    assert "1e-06" not in text


def test_our_flags_are_in_it_and_it_fits_a_terminal() -> None:
    text = short_help()
    assert all(f"--{one.name}" in text for one in flags.OWN)
    known = trl_flags()
    assert known
    named = {word.lstrip("-").partition(" ")[0] for word in text.split() if word.startswith("--") and len(word) > 2}
    ours = {"dataset", "model", "config", "help", "help-all", *(one.name for one in flags.OWN)}
    assert {word.strip(".,;:") for word in named} - ours <= {*known}
    assert max(map(len, text.splitlines())) <= 80
    assert text.rstrip().endswith("some seconds.")


def test_all_flags_have_their_true_defaults() -> None:
    with dpo._less_noise():
        text = " ".join(all_help(dpo.defaults(recipe("correct"), 1)).split())
    assert "(default: 3e-05)" in text and "(default: 1e-06)" not in text
    assert "--lora_r" in text and "--verdict_questions" in text
