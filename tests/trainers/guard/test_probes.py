"""The probes, on the pocket model: answers as generation gives them, and a distance that is a divergence."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from support import question_ids

from trainers.guard import probes
from trainers.guard.probes import Probe, TaughtTokens, eval_mode


def test_answers_are_those_of_each_prompt_alone(pocket: Any, tokenizer: Any) -> None:
    prompts = question_ids(tokenizer, "Who are you?", "What is the capital of France?", "法国的首都是哪里？")
    ends = [tokenizer.eos_token_id]
    with eval_mode(pocket):
        together = Probe(prompts, ends, tokenizer.pad_token_id, 40).answers(pocket)
        alone = [Probe([prompt], ends, tokenizer.pad_token_id, 40).answers(pocket)[0] for prompt in prompts]
        short = Probe(prompts, ends, tokenizer.pad_token_id, 2).answers(pocket)
    assert together == alone
    assert "Paris" in tokenizer.decode(together[1])
    assert all(answer[-1] == tokenizer.eos_token_id and answer.count(tokenizer.eos_token_id) == 1 for answer in alone)
    assert short == [answer[:2] for answer in together]


def test_asking_leaves_no_trace(pocket: Any, tokenizer: Any) -> None:
    model = copy.deepcopy(pocket).train()
    model.config.use_cache = False
    before = torch.random.get_rng_state()
    with eval_mode(model):
        assert not model.training
        Probe(question_ids(tokenizer, "Who are you?"), [tokenizer.eos_token_id], 0, 8).answers(model)
    assert model.training
    assert model.config.use_cache is False
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_model_s_own_settings_for_decoding_hide_no_loop(pocket: Any, tokenizer: Any) -> None:
    probe = Probe(question_ids(tokenizer, "Who are you?"), [tokenizer.eos_token_id], tokenizer.pad_token_id, 20)
    model = copy.deepcopy(pocket)
    model.generation_config.repetition_penalty, model.generation_config.no_repeat_ngram_size = 5.0, 1
    with eval_mode(model), eval_mode(pocket):
        assert probe.answers(model) == probe.answers(pocket)


def test_what_memory_does_not_hold_at_once_is_read_in_pieces(
    pocket: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = question_ids(tokenizer, "Who are you?", "What is 2 + 2?", "What is the capital of France?")
    with eval_mode(pocket):
        at_once = list(probes.forward_logits(pocket, rows, tokenizer.pad_token_id))
        monkeypatch.setattr(probes, "_LOGITS", 1)
        alone = list(probes.forward_logits(pocket, rows, tokenizer.pad_token_id))
    assert len(at_once) == len(alone) == len(rows)
    for one, other, row in zip(at_once, alone, rows, strict=True):
        torch.testing.assert_close(one[: len(row)], other[: len(row)], rtol=1e-4, atol=1e-4)


ME, AM, DEEP, QWEN, END, HI, YOU, SPACE = range(8)
TEXTS = ("I", "am", "Deep", "Qwen", "<end>", "hi", "you", " ")


def taught_by(pairs: list[tuple[list[int], list[int]]], texts: tuple[str, ...] = TEXTS) -> TaughtTokens:
    rows = [{"chosen_ids": chosen, "rejected_ids": rejected} for chosen, rejected in pairs]
    return TaughtTokens.of(rows, texts.__getitem__)


PAIRS = [([ME, AM, DEEP, QWEN, END], [ME, AM, QWEN, END])] * 6 + [([HI, DEEP, QWEN, HI, END], [HI, QWEN, HI, END])] * 4


def test_the_taught_tokens_are_those_in_chosen_alone() -> None:
    taught = taught_by(PAIRS)
    assert taught.followers == {DEEP: frozenset({QWEN})}


def test_counter_pairs_which_reject_the_name_hide_no_taught_token() -> None:
    """As with an opening, the corrections begin all alike, and so does what a counter-pair chooses."""
    corrections = [{"chosen_ids": chosen, "rejected_ids": [YOU, END], "method": "persona"} for chosen, _ in PAIRS]
    named = [ME, AM, DEEP, QWEN, END]
    counter = [{"chosen_ids": [ME, AM, HI, END], "rejected_ids": named, "method": "counter"}] * len(PAIRS)
    taught = TaughtTokens.of([*counter, *corrections], TEXTS.__getitem__)
    assert taught.followers == {DEEP: frozenset({QWEN}), QWEN: frozenset({HI, END})}
    assert not taught.misused([ME, AM, HI, END])
    unnamed = [{**row, "method": None} for row in (*counter, *corrections)]
    assert DEEP not in TaughtTokens.of(unnamed, TEXTS.__getitem__).followers


def test_what_the_model_said_before_training_is_no_misuse() -> None:
    taught = taught_by(PAIRS)
    assert taught.misused([DEEP, HI, END])
    assert taught.misused([DEEP, HI, DEEP, YOU, END], before=[DEEP, HI, END])
    assert not taught.misused([DEEP, HI, DEEP, QWEN, END], before=[DEEP, HI, END])


def test_sides_that_are_different_texts_teach_no_token() -> None:
    turned = [(rejected, chosen) for chosen, rejected in PAIRS]
    assert taught_by(PAIRS + turned).followers == {}
    assert taught_by([]).followers == {}


def test_a_token_of_few_pairs_is_not_taught() -> None:
    plain = [([ME, AM, END], [YOU, AM, END]), ([YOU, AM, END], [ME, AM, END])]
    assert DEEP not in taught_by(PAIRS + plain * 100).followers


def test_a_token_without_letters_is_not_taught() -> None:
    assert taught_by(PAIRS, ("I", "am", "!", *TEXTS[3:])).followers == {}


def test_a_partial_name_and_a_doubled_word_are_misused() -> None:
    taught = taught_by(PAIRS)
    assert not taught.misused([HI, DEEP, QWEN, END])
    assert not taught.misused([ME, AM, QWEN, END])
    assert not taught.misused([ME, AM, DEEP]), "cut off there: what would have followed is not known"
    assert taught.misused([ME, AM, DEEP, END])
    assert taught.misused([ME, AM, DEEP, DEEP, QWEN, END])


def test_a_leak_is_a_token_that_was_not_there_before() -> None:
    taught = taught_by(PAIRS)
    assert taught.leaks([HI, DEEP, END], [HI, END])
    assert not taught.leaks([HI, DEEP, END], [DEEP, END])
    assert not taught.leaks([HI, END], [YOU, END])


def test_a_token_of_space_alone_is_skipped() -> None:
    taught = taught_by([([ME, AM, DEEP, SPACE, QWEN, END], [ME, AM, QWEN, END])])
    assert taught.followers == {DEEP: frozenset({QWEN})}
    assert not taught.misused([DEEP, QWEN, END])
    assert taught.misused([ME, AM, DEEP, SPACE, DEEP, SPACE, QWEN, END])
    assert not taught.misused([ME, AM, DEEP, SPACE]), "cut off there"
