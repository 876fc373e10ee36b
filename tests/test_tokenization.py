"""Rows become the tokens that TRL's own preparation makes of them."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import BEGINS, STRIPS, pocket, words

from pairforge.tokenization import Rendered, render, split
from pairforge.types import SIDES, Skip

WORDS = st.sampled_from(
    ["yes", "no", "Qwen", " am", "我是", "\n", "  ", "é", "<b>", "🙂", "1234", "'s", "</s>", "<|im_end|>"]
)
TEXT = st.lists(WORDS, min_size=1, max_size=12).map("".join)
TURN = {
    role: st.fixed_dictionaries({"role": st.just(role), "content": TEXT}) for role in ("system", "user", "assistant")
}


@st.composite
def rows(draw: st.DrawFn, system: bool) -> dict[str, Any]:
    """A pair of one or two turns, in the implicit shape."""
    context = [draw(TURN["system"])] if system and draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 1))):
        context += [draw(TURN["user"]), draw(TURN["assistant"])]
    context.append(draw(TURN["user"]))
    one, other = draw(TURN["assistant"]), draw(TURN["assistant"])
    return {"chosen": [*context, one], "rejected": [*context, other]}


def tokenizer(kind: str) -> Any:
    if kind == "words":
        return words("yes", "no", "Qwen")
    return pocket({"begins": BEGINS, "strips": STRIPS}.get(kind), None if kind == "pocket" else "<|endoftext|>")


def prepared(rows: list[dict[str, Any]], tokenizer: Any, limit: int | None) -> list[dict[str, Any]]:
    """What DPOTrainer makes of rows that have no prompt column, or all a list."""
    from datasets import Dataset

    arguments = SimpleNamespace(dataset_num_proc=None, max_length=limit, truncation_mode="keep_start")
    trainer = SimpleNamespace(_tokenizer=tokenizer)
    return list(_trainer()._prepare_dataset(trainer, Dataset.from_list(rows), tokenizer, arguments, "train"))


@cache
def _trainer() -> Any:
    from datasets import disable_progress_bars
    from trl import DPOTrainer

    disable_progress_bars()
    return DPOTrainer


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pocket", "strips", "begins", "words"])
@given(data=st.data())
@settings(max_examples=20)
def test_the_same_tokens_as_trl(kind: str, data: st.DataObject) -> None:
    made = data.draw(st.lists(rows(kind != "strips"), min_size=1, max_size=8))
    if data.draw(st.booleans()):
        made = [dict(zip(("prompt", *SIDES), split(row), strict=True)) for row in made]
    limit = data.draw(st.none() | st.integers(8, 80))
    ours = [one for one in render(tokenizer(kind), made, limit) if isinstance(one, Rendered) and not one.dropped]
    theirs = prepared(made, tokenizer(kind), limit)
    assert [[*one.context] for one in ours] == [row["prompt_ids"] for row in theirs]
    for side in SIDES:
        assert [one.completion(side) for one in ours] == [row[f"{side}_ids"] for row in theirs]


def test_the_same_cut_and_mask_as_trl() -> None:
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    made = [
        {
            side: [{"role": "user", "content": "hi"}, {"role": "assistant", "content": f"{side} " * count}]
            for side in SIDES
        }
        for count in (1, 5, 50)
    ]
    reader, limit = tokenizer("pocket"), 50
    batch = DataCollatorForPreference(pad_token_id=reader.pad_token_id, max_length=limit)(prepared(made, reader, limit))
    ours = [one for one in render(reader, made, limit) if isinstance(one, Rendered)]
    lengths = batch["attention_mask"].sum(1).tolist()
    for name, get in (("input_ids", Rendered.kept), ("completion_mask", Rendered.mask)):
        found = [row[:length] for row, length in zip(batch[name].tolist(), lengths, strict=True)]
        assert found == [[*get(one, side)] for side in SIDES for one in ours]


def test_a_row_that_can_t_be_rendered_leaves_the_others_alone() -> None:
    good = {side: [{"role": "user", "content": "hi"}, {"role": "assistant", "content": side}] for side in SIDES}
    for wrong in ({"tools": "{"}, {"chat_template_kwargs": {"chat_template": "{{ 7 * 7 }}"}}):
        first, second, third = render(tokenizer("pocket"), [good, good | wrong, good])
        assert isinstance(second, Skip)
        assert second.reason == "template"
        assert first == third != second
    assert render(tokenizer("pocket"), []) == []
