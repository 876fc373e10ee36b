"""The Gumbel-max trick draws from the softmax, cut as asked, row by row, and flags logits that are none."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from pairforge.samplers.decoding import Decoding
from pairforge.samplers.generate import Generated, GumbelSampling, _has_plain_cache, generate

LOGITS = torch.tensor([1.0, 0.0, -1.0, -torch.inf])


DRAWS = 4000


# The 99.9 % quantiles of chi-square by degrees of freedom.
QUANTILES = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52}


def counts(logits: torch.Tensor, **settings: Any) -> torch.Tensor:
    draw = GumbelSampling(Decoding(**settings), list(range(DRAWS)))
    picked = draw(torch.zeros(DRAWS, 1), logits.repeat(DRAWS, 1)).argmax(-1)
    return torch.bincount(picked, minlength=len(logits))


def is_drawn_from(found: torch.Tensor, shares: torch.Tensor) -> bool:
    """Pearson's chi-square test."""
    possible = shares > 0
    expected = DRAWS * shares[possible]
    statistic = ((found[possible] - expected) ** 2 / expected).sum()
    return bool(found[~possible].sum() == 0 and statistic < QUANTILES[int(possible.sum()) - 1])


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_it_draws_from_the_softmax_at_the_temperature(temperature: float) -> None:
    assert is_drawn_from(counts(LOGITS, temperature=temperature), torch.softmax(LOGITS / temperature, -1))
    assert not is_drawn_from(counts(LOGITS, temperature=temperature), torch.softmax(LOGITS / (1.3 * temperature), -1))


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"top_p": 0.6}, [0, 1]),
        ({"top_p": 0.9}, [0, 1, 2, 3]),
        ({"top_k": 3}, [0, 1, 2]),
        ({"min_p": 0.45}, [0, 1, 2]),
        ({"top_k": 2, "top_p": 0.9}, [0, 1]),
    ],
    ids=str,
)
def test_the_distribution_is_cut_as_asked(settings: dict[str, Any], kept: list[int]) -> None:
    # At the temperature, the shares are 0.4, 0.24, 0.2, 0.1, 0.06.
    temperature, shares = 1.7, torch.tensor([0.4, 0.24, 0.2, 0.1, 0.06])
    left = torch.zeros(5).index_copy(0, torch.tensor(kept), shares[kept] / shares[kept].sum())
    assert is_drawn_from(counts(temperature * shares.log(), temperature=temperature, **settings), left)


def test_zero_is_greedy() -> None:
    assert counts(LOGITS).tolist() == [DRAWS, 0, 0, 0]


def test_no_temperature_is_too_low() -> None:
    assert counts(LOGITS, temperature=1e-300, top_p=0.9).tolist() == [DRAWS, 0, 0, 0]


def test_a_row_keeps_its_stream_whoever_stands_or_stays_beside_it() -> None:
    scores = torch.zeros(3, 50)
    together = GumbelSampling(Decoding(temperature=1.0), [1, 2, 3])
    alone = GumbelSampling(Decoding(temperature=1.0), [2])
    for _ in range(5):
        assert torch.equal(together(scores, scores)[1], alone(scores[:1], scores[:1])[0])
    together.keep([1, 2])
    for _ in range(5):
        assert torch.equal(together(scores[1:], scores[1:])[0], alone(scores[:1], scores[:1])[0])


def test_broken_logits_are_remembered() -> None:
    draw = GumbelSampling(Decoding(), [0, 1, 2, 3])
    rows = [[0.0, torch.nan], [0.0, -torch.inf], [0.0, torch.inf], [-torch.inf, -torch.inf]]
    draw(torch.zeros(4, 1), torch.tensor(rows))
    draw(torch.zeros(4, 1), torch.zeros(4, 2))
    assert draw.bad == [True, False, True, True]
    draw.keep([1, 2])
    assert draw.bad == [False, True]


VOCABULARY, ROOM, ENDS = 64, 24, [60, 61]


SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 96,
    "initializer_range": 0.5,  # so that the answers differ
}


def made(name: str) -> PreTrainedModel:
    """A tiny model with random weights."""
    torch.manual_seed(0)
    gpt2 = {
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 96,
        "vocab_size": VOCABULARY,
        "initializer_range": 0.5,
    }
    models = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**SMALL)),
        "qwen2 (grouped queries)": lambda: Qwen2ForCausalLM(Qwen2Config(**SMALL, num_key_value_heads=2)),
        "gpt2 (learnt positions)": lambda: GPT2LMHeadModel(GPT2Config(**gpt2)),
        "mistral (sliding window)": lambda: MistralForCausalLM(
            MistralConfig(**SMALL, num_key_value_heads=2, sliding_window=8)
        ),
        "bloom (no positions)": lambda: BloomForCausalLM(
            BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.5)
        ),
        "mamba (no cache)": lambda: MambaForCausalLM(
            MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=0.5)
        ),
    }
    model = models[name]().eval()
    model.generation_config = GenerationConfig(eos_token_id=ENDS, pad_token_id=0)
    return model


NAMES = (
    "llama",
    "qwen2 (grouped queries)",
    "gpt2 (learnt positions)",
    "mistral (sliding window)",
    "bloom (no positions)",
    "mamba (no cache)",
)


def prompts(count: int) -> list[list[int]]:
    """Of 3 to 20 tokens."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(3, 21, (count,), generator=generator).tolist()
    return [torch.randint(1, 60, (length,), generator=generator).tolist() for length in lengths]


def text(tokens: Sequence[int], **_: Any) -> str:
    return "".join(f"<{token}>" for token in tokens)


def asked(model: Any, rows: Sequence[Sequence[int]], **decoding: Any) -> list[Generated]:
    return generate(
        model, rows, range(len(rows)), Decoding(max_new_tokens=ROOM, **decoding), SimpleNamespace(decode=text)
    )


def by_transformers(model: Any, rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Greedy, in one padded batch; without end tokens and what follows them."""
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    given = model.generate(ids, attention_mask=mask, max_new_tokens=ROOM, do_sample=False)[:, width:].tolist()
    return [row[: next((i for i, token in enumerate(row) if token in ENDS), None)] for row in given]


@pytest.mark.parametrize("name", NAMES)
def test_greedy_is_what_transformers_generates(name: str) -> None:
    model, rows = made(name), prompts(12)
    answers = asked(model, rows)
    assert [answer.tokens for answer in answers] == by_transformers(model, rows)
    assert all((answer.finish == "length") == (len(answer.tokens) == ROOM) for answer in answers)
    assert len({tuple(answer.tokens) for answer in answers}) > 6
    assert {answer.finish for answer in answers} == {"stop", "length"}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_samples_of_one_prompt_are_those_of_prompts_asked_alone(name: str) -> None:
    model, rows = made(name), [prompt for prompt in prompts(3) for _ in range(4)]
    together = asked(model, rows, temperature=0.8, top_p=0.95)
    alone = [
        generate(
            model,
            [row],
            [seed],
            Decoding(max_new_tokens=ROOM, temperature=0.8, top_p=0.95),
            SimpleNamespace(decode=text),
        )[0]
        for seed, row in enumerate(rows)
    ]
    assert together == alone
    assert len({tuple(answer.tokens) for answer in together[:4]}) > 1


def test_recurrent_models_are_left_to_transformers() -> None:
    assert {name for name in NAMES if not _has_plain_cache(made(name))} == {"mamba (no cache)"}


@pytest.mark.parametrize("name", ["llama", "mamba (no cache)"])
def test_a_stop_string_ends_its_row_at_once(name: str) -> None:
    model, rows = made(name), prompts(8)
    whole = asked(model, rows)
    stop = text(next(row for row in whole if len(row.tokens) > 4).tokens[2:4])
    for row, stopped in zip(whole, asked(model, rows, stop=(stop,)), strict=True):
        at = text(row.tokens).find(stop)
        if at < 0:
            assert stopped == row
        else:
            assert text(stopped.tokens) == text(row.tokens)[: at + len(stop)] and stopped.finish == "stop"


@pytest.mark.parametrize("name", ["llama", "mamba (no cache)"])
def test_a_row_without_finite_logits_ends_alone(name: str) -> None:
    model, rows = made(name), prompts(5)
    usual = asked(model, rows)
    prompt = rows[2]
    embed = model.get_input_embeddings()

    def spoil(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        ids = inputs[0]
        if ids.shape[1] < len(prompt):
            return output
        hit = (ids[:, -len(prompt) :] == torch.tensor(prompt)).all(-1)
        return output.masked_fill(hit[:, None, None], torch.nan)

    hook = embed.register_forward_hook(spoil)
    spoilt = asked(model, rows)
    hook.remove()
    assert spoilt[2] == Generated([], "nan")
    assert [row for i, row in enumerate(spoilt) if i != 2] == [row for i, row in enumerate(usual) if i != 2]


def test_a_prompt_is_prefilled_once_and_ended_rows_are_left_out() -> None:
    model, rows = made("llama"), [prompt for prompt in prompts(4) for _ in range(8)]
    shapes: list[tuple[int, int]] = []
    hook = model.get_input_embeddings().register_forward_hook(
        lambda m, inputs, out: shapes.append(tuple(inputs[0].shape))
    )
    answers = asked(model, rows, temperature=1.0)
    hook.remove()
    assert shapes[0] == (4, max(map(len, rows)))
    lengths = [len(answer.tokens) + (answer.finish == "stop") for answer in answers]
    for step, (count, width) in enumerate(shapes[1:], 1):
        going = sum(length > step for length in lengths)
        assert width == 1 and going <= count <= going / 0.75
    assert len(shapes) == max(lengths)
