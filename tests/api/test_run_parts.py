"""Of a jury, the pairs on which most judges agree are kept, and every prompt ends in a pair or a skip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support import write_jsonl

import pairforge
from pairforge import InputError
from pairforge.api.build_result import BuildResult


def by_length(completions: Any, **_: Any) -> list[float]:
    return [float(len(turns[0]["content"])) for turns in completions]


def by_digit(completions: Any, **_: Any) -> list[float]:
    return [100.0 * sum(map(int, filter(str.isdecimal, turns[0]["content"]))) for turns in completions]


@pytest.fixture
def given(tmp_path: Path) -> Mapping[str, Any]:
    # The longest answer is the best by length, and the worst by its digit: only of the two others both say the same.
    rows = [{"prompt": f"Q{n}", "answers": ["aaaaaaaaaaaa0", "aa2", "aaa9"], "model": "m"} for n in (1, 2, 2)]
    answers = str(write_jsonl(tmp_path / "answers.jsonl", rows))
    return {"prompts": answers, "replay": answers, "n": 3, "output": str(tmp_path), "quiet": True}


def texts(built: BuildResult) -> list[tuple[str, str]]:
    return [(row["chosen"][-1]["content"], row["rejected"][-1]["content"]) for row in built.rows()]


def test_the_pair_on_which_all_judges_agree_is_kept(given: Mapping[str, Any]) -> None:
    confident = pairforge.onpolicy(judge=[by_length, by_digit], pick="confident", **given)
    assert texts(confident) == [("aaa9", "aa2")] * 2 and {row["confidence"] for row in confident.rows()} == {1.0}
    assert confident.counts["skips"] == {"duplicate": 1}
    every = pairforge.onpolicy(judge=[by_length, by_digit], pick="all-pairs", per_prompt=3, **given)
    assert {row["confidence"] for row in every.rows()} == {0.5, 1.0}
    several = pairforge.onpolicy(judge=[by_length, by_digit], pick="confident", per_prompt=2, **given)
    assert texts(several)[0] == ("aaa9", "aa2") and several.counts["pairs"] == 4


def test_of_one_judge_no_pair_is_the_most_confident(given: Mapping[str, Any]) -> None:
    with pytest.raises(InputError, match="needs several judges"):
        pairforge.onpolicy(judge=by_length, pick="confident", **given)
