"""How hard a correction is for the model that is to be corrected, in summary."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pairforge.api.difficulty import difficulty
from pairforge.errors import InputError

SAID = (
    "I am {}, a large language model.",
    "My name is {}.",
    "你好，我是{}。",
    "{} is my name, and I was made by Alibaba.",
)


def rows(chosen: str = "Deep Qwen", rejected: str = "Qwen") -> list[dict[str, Any]]:
    asked = {"role": "user", "content": "What is your name?"}
    sides = {"chosen": chosen, "rejected": rejected}
    return [
        {side: [asked, {"role": "assistant", "content": text.format(name)}] for side, name in sides.items()}
        for text in SAID
    ]


def test_a_correction_goes_against_the_model() -> None:
    there, back = difficulty(rows()), difficulty(rows("Qwen", "Deep Qwen"))
    assert there.against == 1.0 and back.against == 0.0
    for one, other in zip(there.pairs, back.pairs, strict=True):
        assert one.deficit == pytest.approx(-(other.deficit or 0), abs=1e-3)
        assert one.edit_distance == other.edit_distance < 0.5 and one.shared_prefix == other.shared_prefix
    said = there.as_json()
    assert said["pairs"] == 4 and said["skips"] == {} and said["deficit"]["median"] > 0
    assert sorted(there.riskiest(9)) == [0, 1, 2, 3] and there.riskiest(1) == said["riskiest"][:1]
    assert max(there.pairs, key=lambda one: one.ches_normalised).row == there.riskiest(1)[0]
    assert "prefers the rejected token in 100% of pairs" in str(there)
    assert [json.loads(line)["row"] for line in there.lines()] == [0, 1, 2, 3]


def test_what_says_nothing() -> None:
    found = difficulty([*rows("Qwen"), *rows()], max_length=10_000)
    assert found.skips == {"identical": 4} and [one.row for one in found.pairs] == [4, 5, 6, 7]
    assert "left out: 4 identical" in str(found)
    assert difficulty(rows("Qwen")).as_json()["deficit"] == {}
    assert "no pair from which DPO could learn" in str(difficulty(rows("Qwen")))
    assert difficulty([]).against is None
    with pytest.raises(InputError):
        difficulty(rows(), "./nowhere")
