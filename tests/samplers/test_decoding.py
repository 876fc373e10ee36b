"""The numbers of decoding: checked, named where they matter, and a loop told from a text."""

from __future__ import annotations

import math
from typing import Any

import pytest
from support import Scripted, prompt

from pairforge.errors import InputError
from pairforge.samplers.decoding import Decoding, WithDecoding, repeats
from pairforge.samplers.replay import ReplaySampler
from pairforge.types import Sampler


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_new_tokens": 0},
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"min_p": math.nan},
        {"min_p": 1.5},
        {"stop": ("",)},
    ],
    ids=str,
)
def test_a_number_out_of_range_is_named_by_its_option(wrong: dict[str, Any]) -> None:
    [name] = wrong
    with pytest.raises(InputError, match="--" + name.replace("_", "-")):
        Decoding(**wrong)


def test_settings_hold_what_an_answer_hangs_on_and_nothing_else() -> None:
    plain = {"max_new_tokens": 256, "temperature": 0.0}
    assert Decoding().settings() == plain
    assert Decoding(seed=3, top_p=0.5, top_k=7, min_p=0.1).settings() == plain
    for stop in ("xy", ["xy"], ("xy",)):
        alone: dict[str, Any] = {"stop": stop}
        assert Decoding(**alone).settings() == {**plain, "stop": ["xy"]}
    drawn = {"max_new_tokens": 256, "temperature": 1.0, "seed": 3}
    assert Decoding(temperature=1, seed=3).settings() == drawn
    assert Decoding(temperature=1, seed=3, top_p=0.5).settings() == {**drawn, "top_p": 0.5}


def test_seeds_hang_on_prompt_index_and_seed() -> None:
    seeds = {Decoding(seed=seed).seed_of((name, index)) for seed in (0, 1) for name in "ab" for index in (0, 1)}
    assert len(seeds) == 8 and max(seeds) < 2**60
    assert Decoding(temperature=1.0).seed_of(("a", 0)) == Decoding(stop=("x",)).seed_of(("a", 0))


def test_the_first_stop_string_ends_a_text() -> None:
    decoding = Decoding(stop=("##", "\n\n"))
    assert decoding.stop_at("one\n\ntwo ## three") == 3
    assert decoding.stop_at("one\ntwo # three") is None
    assert Decoding().stop_at("## anything") is None


@pytest.mark.parametrize(
    ("tokens", "loop"),
    [
        ([1] * 24, True),
        ([1] * 23, False),
        ([9, 8, 7, *[1, 2, 3] * 8], True),
        ([*[1, 2, 3] * 8, 4], False),
        (list(range(10)) * 4, True),
        (list(range(10)) * 3, False),
        (list(range(200)), False),
        ([*"so it is; " * 4], True),
        ([], False),
    ],
)
def test_a_loop_is_the_same_few_tokens_over_and_over(tokens: list[Any], loop: bool) -> None:
    assert repeats(tokens) is loop


PROMPT = prompt("Hi")


def test_asks_otherwise_and_gives_the_decoding_back() -> None:
    sampler = Scripted(lambda prompt, index, decoding: f"{decoding.temperature} {index}")
    drawn = WithDecoding(sampler, temperature=1.0)
    assert [answer for batch in drawn.sample([PROMPT], 2, set()) for answer in batch.values()] != []
    assert [one.decoding.temperature for one in sampler.asked] == [1.0, 1.0]
    assert sampler.decoding.temperature == 0.0


def test_is_known_by_the_settings_that_the_sampler_itself_would_have() -> None:
    drawn, itself = WithDecoding(Scripted(lambda *_: ""), temperature=0.5), Scripted(lambda *_: "")
    itself.decoding = drawn.decoding
    assert drawn.settings() == itself.settings()
    sampler: Sampler = drawn
    assert sampler.model == "scripted"


def test_gives_the_decoding_back_when_it_is_left_early() -> None:
    sampler = Scripted(lambda *_: "x")
    answers = WithDecoding(sampler, temperature=1.0).sample([PROMPT], 1, set())
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert sampler.decoding.temperature == 0.0


def test_a_file_of_answers_can_not_be_drawn_from() -> None:
    with pytest.raises(InputError, match="gives no others"):
        WithDecoding(ReplaySampler({}, "file"), temperature=1.0)
