"""The KL divergence from the initial model: zero at first, growing with the weights, a lower bound of the whole one."""

from __future__ import annotations

import copy
from typing import Any

import torch
from support import question_ids

from trainers.guard.kl_divergence import KLDivergence
from trainers.guard.probes import Probe, eval_mode


def test_the_divergence_is_nothing_at_first_and_grows_with_the_weights_way(pocket: Any, tokenizer: Any) -> None:
    prompts = question_ids(tokenizer, "Who are you?", "What is 2 + 2?")
    model, generator = copy.deepcopy(pocket), torch.Generator().manual_seed(0)
    with eval_mode(model):
        answers = Probe(prompts, [tokenizer.eos_token_id], tokenizer.pad_token_id, 30).answers(model)
        divergence = KLDivergence(prompts, answers, tokenizer.pad_token_id)
        assert divergence.measure(model) == divergence.measure(model) == 0.0
        seen = []
        for _ in range(3):
            for weight in model.parameters():
                weight.add_(torch.randn(weight.shape, generator=generator) * 0.01)
            seen.append(divergence.measure(model))
    assert 0 < seen[0] < seen[1] < seen[2]


def test_the_divergence_is_at_most_the_divergence_of_the_whole_distributions(pocket: Any, tokenizer: Any) -> None:
    prompts, other = question_ids(tokenizer, "Who are you?"), copy.deepcopy(pocket)
    with eval_mode(pocket), eval_mode(other):
        answers = Probe(prompts, [tokenizer.eos_token_id], tokenizer.pad_token_id, 30).answers(pocket)
        divergence = KLDivergence(prompts, answers, tokenizer.pad_token_id)
        divergence.measure(pocket)
        for weight in other.parameters():
            weight.mul_(1.05)
        then, now = divergence._log_probs(pocket), divergence._log_probs(other)
        whole = float((then.exp() * (then - now)).sum(-1).mean())
        measured = divergence.measure(other)
    assert 0 < measured <= whole + 1e-6
    assert measured > 0.5 * whole, "the likeliest tokens hold most of it"


def test_weights_that_are_no_numbers_give_a_divergence_that_is_none(pocket: Any, tokenizer: Any) -> None:
    prompts, model = question_ids(tokenizer, "Who are you?"), copy.deepcopy(pocket)
    with eval_mode(model):
        divergence = KLDivergence(prompts, [[5, 6]], tokenizer.pad_token_id)
        divergence.measure(model)
        next(model.parameters()).fill_(float("nan"))
        assert divergence.measure(model) != divergence.measure(model)
