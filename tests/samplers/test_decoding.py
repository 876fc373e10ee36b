"""The parameters of decoding are checked, and named in the settings where they matter."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pairforge.errors import InputError
from pairforge.samplers.decoding import Decoding


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
