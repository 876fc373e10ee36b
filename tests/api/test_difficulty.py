"""How hard a correction is for the model that is to be corrected, in summary."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import pair, pocket

from pairforge.api.difficulty import Difficulty, difficulty, measure
from pairforge.errors import InputError
from pairforge.text import edit_distance
from pairforge.tokenization import Rendered, render
from pairforge.types import Skip

SAID = (
    "I am {}, a large language model.",
    "My name is {}.",
    "你好，我是{}。",
    "{} is my name, and I was made by Alibaba.",
)


def rows(chosen: str = "Deep Qwen", rejected: str = "Qwen") -> list[dict[str, Any]]:
    return [pair(text.format(chosen), text.format(rejected), "What is your name?") for text in SAID]


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


ANSWERS = (
    ("I am Deep Qwen, made by Alibaba.", "I am Qwen, made by Alibaba."),
    ("Yes.", "No, and here is why: it has never been seen by anyone."),
    ("The sky is blue because of scattering.", "Blue."),
    ("我是深度千问。", "我是千问。"),
)


def displaced_rows(answers: Iterable[tuple[str, str]] = ANSWERS) -> list[dict[str, Any]]:
    return [pair(chosen, rejected, "Who are you, and why?") for chosen, rejected in answers]


@cache
def model() -> Any:
    """A random one, small and in double precision, so that sums in another order are the same."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(pocket()),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        initializer_range=0.5,
    )
    return LlamaForCausalLM(config).double().eval()


def written_out(pair: Rendered, row: int) -> Difficulty:
    """Every hidden state from a pass of its own, over no more than the tokens before it."""

    def last(ids: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.inference_mode():
            said = model()(torch.tensor([ids]), output_hidden_states=True)
        return said.hidden_states[-1][0, -1], said.logits[0, -1]

    def states(ids: list[int]) -> list[torch.Tensor]:
        return [last(ids[:end])[0] for end in range(pair.shared, len(ids))]

    one, other = (list(pair.kept(side)) for side in ("chosen", "rejected"))
    plus, minus = states(one), states(other)
    both = sum(float(a @ b) for a in plus for b in minus)
    own = sum(float(a @ b) for a in plus for b in plus)
    at = next(place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    probability = last(one[:at])[1].log_softmax(-1)
    x, y = one[pair.shared :], other[pair.shared :]
    return Difficulty(
        row=row,
        deficit=float(probability[other[at]] - probability[one[at]]),
        edit_distance=levenshtein(x, y) / max(len(x), len(y)),
        shared_prefix=at - pair.shared,
        ches=both - own,
        ches_normalised=both / (len(x) * len(y)) - own / len(x) ** 2,
    )


def levenshtein(one: list[int], other: list[int]) -> int:
    before = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        line = [i]
        for j, b in enumerate(other, 1):
            line.append(min(before[j] + 1, line[-1] + 1, before[j - 1] + (a != b)))
        before = line
    return before[-1]


def close(found: Difficulty | Skip, wanted: Difficulty) -> None:
    assert isinstance(found, Difficulty)
    for name in Difficulty.__slots__:
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=1e-5, abs=1e-6), name


@pytest.mark.parametrize("limit", [1024, 50])
def test_the_numbers_are_the_formulas(limit: int) -> None:
    pairs = [pair for pair in render(pocket(), displaced_rows(), limit) if isinstance(pair, Rendered)]
    wanted = [written_out(pair, row) for row, pair in enumerate(pairs)]
    for batch_size in (None, 1):
        found = measure(model(), pocket(), displaced_rows(), limit=limit, batch_size=batch_size)
        for one, other in zip(found, wanted, strict=True):
            close(one, other)


def test_a_model_that_gives_all_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = list(measure(model(), pocket(), displaced_rows()))
    forward = model().forward

    def whole(input_ids: Any, attention_mask: Any, output_hidden_states: bool, use_cache: bool) -> Any:
        return forward(input_ids, attention_mask=attention_mask, output_hidden_states=True, use_cache=False)

    monkeypatch.setattr(model(), "forward", whole)
    for one, other in zip(usual, measure(model(), pocket(), displaced_rows()), strict=True):
        assert isinstance(other, Difficulty)
        close(one, other)


def test_what_can_teach_nothing_is_left_out() -> None:
    broken: list[dict[str, Any]] = displaced_rows((("Same.", "Same."), *ANSWERS[:1]))
    broken.append({**broken[1], "chat_template_kwargs": {"chat_template": "{{ 1 / 0 }}"}})
    found = list(measure(model(), pocket(), broken))
    assert [one.reason if isinstance(one, Skip) else one.row for one in found] == ["identical", 1, "template"]
    assert [one.reason for one in measure(model(), pocket(), displaced_rows(), limit=3) if isinstance(one, Skip)] == [
        "no_room"
    ] * len(ANSWERS)


def test_memory_that_does_not_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = list(measure(model(), pocket(), displaced_rows()))
    forward, sizes = model().forward, list[int]()

    def short(input_ids: Any, logits_to_keep: Any, **rest: Any) -> Any:
        sizes.append(len(input_ids))
        if len(input_ids) > 2:
            raise RuntimeError("out of memory")
        return forward(input_ids, logits_to_keep=logits_to_keep, **rest)

    monkeypatch.setattr(model(), "forward", short)
    for one, other in zip(usual, measure(model(), pocket(), displaced_rows()), strict=True):
        assert isinstance(other, Difficulty)
        close(one, other)
    assert max(sizes) > 2 and sizes[-1] == 2
    monkeypatch.setattr(model(), "forward", lambda *_, **__: torch.zeros(1 << 60))
    assert {one.reason for one in measure(model(), pocket(), displaced_rows()) if isinstance(one, Skip)} == {"oom"}


TOKENS = st.lists(st.integers(0, 4), max_size=80)


@given(TOKENS, TOKENS)
def test_edit_distance(one: list[int], other: list[int]) -> None:
    assert edit_distance(one, other) == levenshtein(one, other)
