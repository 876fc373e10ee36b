"""The engine generates what transformers does, whoever stands beside a row, and draws from the model's distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MinPLogitsWarper,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from pairforge.samplers.decoding import Decoding
from pairforge.samplers.engine import generate, has_plain_cache
from pairforge.samplers.hardware import BatchSizer
from pairforge.samplers.rows import Row, SeededSampling

LOGITS = torch.tensor([1.0, 0.0, -1.0, -torch.inf])


DRAWS = 4000


# The 99.9 % quantiles of chi-square by degrees of freedom.
QUANTILES = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52}


def counts(logits: torch.Tensor, **settings: Any) -> torch.Tensor:
    picked, _ = SeededSampling(Decoding(**settings), list(range(DRAWS))).draw(logits.repeat(DRAWS, 1))
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


@pytest.mark.parametrize("spread", [0.1, 10.0], ids=["flat", "peaked"])
def test_a_large_vocabulary_is_cut_as_transformers_cuts_it(spread: float) -> None:
    scores = spread * torch.randn(4, 3000, generator=torch.Generator().manual_seed(0))
    scores = scores - scores.amax(-1, keepdim=True)
    expected = scores
    for warper in (TopKLogitsWarper(2500), TopPLogitsWarper(0.9), MinPLogitsWarper(0.02)):
        expected = warper(None, expected)
    found = SeededSampling(Decoding(temperature=1.0, top_k=2500, top_p=0.9, min_p=0.02))._cut(scores)
    assert torch.equal(found, expected) and 0 < expected.isfinite().sum() < 0.9 * expected.numel()


def test_zero_is_greedy() -> None:
    assert counts(LOGITS).tolist() == [DRAWS, 0, 0, 0]


def test_no_temperature_is_too_low() -> None:
    assert counts(LOGITS, temperature=1e-300, top_p=0.9).tolist() == [DRAWS, 0, 0, 0]


def test_a_row_keeps_its_stream_whoever_stands_or_stays_beside_it() -> None:
    logits = torch.zeros(3, 50)
    together, alone = (
        SeededSampling(Decoding(temperature=1.0), [1, 2, 3]),
        SeededSampling(Decoding(temperature=1.0), [2]),
    )
    for _ in range(5):
        assert together.draw(logits)[0][1] == alone.draw(logits[:1])[0][0]
    together.keep([1, 2], 3)
    for _ in range(5):
        assert together.draw(logits)[0][0] == alone.draw(logits[:1])[0][0]
    together.put(0, 2)
    assert together.draw(logits)[0][0] == SeededSampling(Decoding(temperature=1.0), [2]).draw(logits[:1])[0][0]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_broken_logits_are_told(temperature: float) -> None:
    rows = [[0.0, torch.nan], [0.0, -torch.inf], [0.0, torch.inf], [-torch.inf, -torch.inf]]
    sampling = SeededSampling(Decoding(temperature=temperature), [0, 1, 2, 3])
    assert sampling.draw(torch.tensor(rows))[1] == [True, False, True, True]


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
    grouped = {**SMALL, "num_key_value_heads": 2, "head_dim": 8}
    sliding = {**grouped, "num_hidden_layers": 4, "sliding_window": 8, "query_pre_attn_scalar": 8, "pad_token_id": 0}
    models = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**SMALL)),
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SMALL, num_key_value_heads=2)),
        "mistral": lambda: MistralForCausalLM(MistralConfig(**grouped, sliding_window=8)),
        "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**sliding)),
        "gemma3": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**sliding)),
        "phi": lambda: PhiForCausalLM(PhiConfig(**SMALL)),
        "phi3": lambda: Phi3ForCausalLM(Phi3Config(**SMALL, pad_token_id=0)),
        "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**gpt2)),
        "bloom": lambda: BloomForCausalLM(
            BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.5)
        ),
        "mixtral": lambda: MixtralForCausalLM(MixtralConfig(**grouped, num_local_experts=4)),
        "mamba": lambda: MambaForCausalLM(
            MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=0.5)
        ),
    }
    model = models[name]().eval()
    model.generation_config = GenerationConfig(eos_token_id=ENDS, pad_token_id=0)
    return model


NAMES = ("llama", "qwen2", "mistral", "gemma2", "gemma3", "phi", "phi3", "gpt2", "bloom", "mixtral", "mamba")


def prompts(count: int) -> list[list[int]]:
    """Of 1 to 14 tokens, and one of 60; every third has the same ten tokens before them."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 15, (count,), generator=generator).tolist()
    found = [torch.randint(1, 60, (length,), generator=generator).tolist() for length in lengths]
    found[4 % count] = torch.randint(1, 60, (60,), generator=generator).tolist()
    return [[7] * 5 + [9] * 5 + one if i % 3 == 0 else one for i, one in enumerate(found)]


def text(tokens: Sequence[int], **_: Any) -> str:
    return "".join(f"<{token}>" for token in tokens)


def rows_of(asked: Sequence[Sequence[int]], n: int = 1) -> list[Row]:
    return [Row((f"{number}", index), prompt, ROOM) for number, prompt in enumerate(asked) for index in range(n)]


def run(model: Any, rows: list[Row], places: int = 5, labels: Any = None, **decoding: Any) -> list[Row]:
    """Generate rows in so few places that most wait for one, and return those that were generated, in their order."""
    tokenizer, limit = SimpleNamespace(decode=text), BatchSizer(places, None, 1, 1)
    made = list(generate(model, rows, Decoding(max_new_tokens=ROOM, **decoding), tokenizer, limit, labels))
    assert len({row.key for row in made}) == len(made)
    return sorted(made, key=lambda row: (int(row.key[0]), row.key[1]))


def is_greedy(model: Any, row: Row, steps: int = 0) -> bool:
    """Whether a row's tokens are those of `model.generate`, or differ from where the two best are almost equal.

    That is within 1e-4, or within so many steps of bfloat16, whose numbers have eight bits.
    """
    given = model.generate(
        torch.tensor([row.prompt]),
        max_new_tokens=ROOM,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    tokens = given.sequences[0, len(row.prompt) :].tolist()
    made = row.tokens + (ENDS[:1] if row.finish == "stop" else [])
    tokens = [ENDS[0] if token in ENDS else token for token in tokens]
    at = next((i for i, (a, b) in enumerate(zip(tokens, made, strict=False)) if a != b), None)
    if at is None:
        return len(tokens) == len(made)
    best, second = given.logits[at][0].topk(2).values.tolist()
    return best - second < ((steps + 0.5) * 2.0 ** (math.frexp(best)[1] - 8) if steps else 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_greedy_is_what_transformers_generates(name: str) -> None:
    model = made(name)
    answers = run(model, rows_of(prompts(14)))
    assert len(answers) == 14 and all(is_greedy(model, row) for row in answers)
    assert all((row.finish == "length") == (len(row.tokens) == ROOM) for row in answers)
    assert "gemma" in name or {row.finish for row in answers} == {"stop", "length"}


@pytest.mark.parametrize("name", ["llama", "qwen2"])
def test_in_bfloat16_greedy_parts_from_transformers_only_where_rounding_decides(name: str) -> None:
    model = made(name).to(torch.bfloat16)
    answers = run(model, rows_of(prompts(14)))
    assert all(is_greedy(model, row, steps=4) for row in answers)
    assert sum(is_greedy(model, row) for row in answers) > 7


@pytest.mark.parametrize("name", ["qwen2", "gemma2", "mamba"])
def test_samples_are_those_of_rows_generated_alone(name: str) -> None:
    model, asked = made(name), prompts(5)
    together = run(model, rows_of(asked, 3), temperature=0.8, top_p=0.95)
    alone = [run(model, [row], temperature=0.8, top_p=0.95)[0] for row in rows_of(asked, 3)]
    assert [(row.tokens, row.finish) for row in together] == [(row.tokens, row.finish) for row in alone]
    assert len({tuple(row.tokens) for row in together[:3]}) > 1


@pytest.mark.parametrize("name", ["qwen2", "mixtral", "mamba"])
def test_a_run_that_was_stopped_goes_on_with_the_same_bits(name: str) -> None:
    model = made(name).to(torch.bfloat16)  # in which a row's numbers depend on the shape of its batch
    whole = {row.key: row for row in run(model, rows_of(prompts(12), 2), temperature=1.0, stop=("<7>",))}
    for stopped in (3, 10, 21):
        known = {row.key: len(row.tokens) for row in list(whole.values())[:stopped]}
        rows = rows_of(prompts(12), 2)
        for row in rows:
            row.known = known.get(row.key)
        rest = run(model, rows, temperature=1.0, stop=("<7>",))
        assert {row.key for row in rest} == whole.keys() - known.keys()
        assert [(row.tokens, row.finish) for row in rest] == [
            (whole[row.key].tokens, whole[row.key].finish) for row in rest
        ]


def test_what_is_known_is_not_computed() -> None:
    model, computed = made("qwen2"), list[int]()
    hook = model.get_input_embeddings().register_forward_hook(lambda m, inputs, out: computed.append(inputs[0].numel()))
    whole = run(model, rows_of(prompts(14)))
    usual, lengths = sum(computed), {row.key: len(row.tokens) for row in whole}
    computed.clear()
    rows = rows_of(prompts(14))
    for row in rows[:-1]:
        row.known = lengths[row.key]
    [last] = run(model, rows)
    hook.remove()
    assert last.tokens == whole[-1].tokens and 0 < sum(computed) < usual / 2


def test_only_models_with_a_cache_of_rows_are_generated_in_places() -> None:
    assert {name for name in NAMES if not has_plain_cache(made(name))} == {"mamba"}
    scaling = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    assert not has_plain_cache(LlamaForCausalLM(LlamaConfig(**SMALL, rope_parameters=scaling)))


@pytest.mark.parametrize("name", ["llama", "mamba"])
def test_a_stop_string_ends_its_row_at_once(name: str) -> None:
    model, asked = made(name), prompts(8)
    whole = run(model, rows_of(asked))
    stop = text(next(row for row in whole if len(row.tokens) > 4).tokens[2:4])
    for row, stopped in zip(whole, run(model, rows_of(asked), stop=(stop,)), strict=True):
        at = text(row.tokens).find(stop)
        if at < 0:
            assert (stopped.tokens, stopped.finish) == (row.tokens, row.finish)
        else:
            assert text(stopped.tokens) == text(row.tokens)[: at + len(stop)] and stopped.finish == "stop"


@pytest.mark.parametrize("name", ["llama", "mamba"])
def test_a_row_without_finite_logits_ends_alone(name: str) -> None:
    model, asked = made(name), prompts(9)
    usual = run(model, rows_of(asked))
    asked[2] = [62, *asked[2]]

    def spoil(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        return output.masked_fill((inputs[0] == 62)[..., None], torch.nan)

    hook = model.get_input_embeddings().register_forward_hook(spoil)
    spoilt = run(model, rows_of(asked), places=2)
    hook.remove()
    assert (spoilt[2].tokens, spoilt[2].finish) == ([], "nan")
    others = [i for i in range(len(asked)) if i != 2 and 62 not in usual[i].tokens]
    assert len(others) > 5
    assert [spoilt[i].tokens for i in others] == [usual[i].tokens for i in others]


def test_prompts_are_computed_once_and_places_are_filled_at_once() -> None:
    model, asked = made("llama"), [[7] * 20 + prompt[:12] for prompt in prompts(10)]
    shapes: list[tuple[int, int]] = []
    hook = model.get_input_embeddings().register_forward_hook(lambda m, args, out: shapes.append(tuple(args[0].shape)))
    answers = run(model, rows_of(asked, 4), places=8, temperature=1.0)
    hook.remove()
    assert shapes[0] == (1, 20), "what all begin with, once"
    computed = [shape for shape in shapes[1:] if shape[1] > 1]
    assert sum(count for count, _ in computed) == 10 and max(width for _, width in computed) < 20
    steps = [count for count, width in shapes if width == 1]
    assert max(steps) == 8
    needed = sum(len(row.tokens) + (row.finish == "stop") for row in answers)
    assert sum(steps) < 1.25 * needed + 8 * ROOM / 2


def test_the_window_stays_as_wide_as_its_rows() -> None:
    model, widths = made("llama"), list[int]()
    hook = model.model.layers[0].self_attn.register_forward_hook(
        lambda m, args, kwargs, out: widths.append(kwargs["past_key_values"].layers[0].keys.shape[2]), with_kwargs=True
    )
    run(model, rows_of([[5, 6, 7]] * 40), places=4, temperature=1.0)
    hook.remove()
    assert max(widths) <= (3 + ROOM) * 1.25 + 32


def test_labels_are_read_from_the_logits_of_the_first_token() -> None:
    model, asked = made("qwen2"), prompts(7)
    rows = [Row((f"{number}", 0), prompt, 1) for number, prompt in enumerate(asked)]
    found = run(model, rows, labels=lambda logits: [str(row.argmax().item()) for row in logits])
    expected = [model(torch.tensor([prompt])).logits[0, -1].argmax().item() for prompt in asked]
    assert [int(row.detail) for row in found] == expected


def test_samples_follow_the_distribution_of_the_model() -> None:
    model = made("llama")
    model.lm_head.weight.data[5:] = 0  # five tokens are likely or not, the others all the same
    logits = model(torch.tensor([[3, 4, 5]])).logits[0, -1]
    shares = (logits / 1.5).softmax(-1).detach()
    rows = [Row(("0", index), [3, 4, 5], 1) for index in range(DRAWS)]
    made_ = run(model, rows, places=64, temperature=1.5)
    drawn = torch.tensor([row.tokens[0] if row.tokens else ENDS[0] for row in made_])
    few = torch.bincount(drawn.clamp(max=5), minlength=6)
    assert is_drawn_from(few, torch.cat([shares[:5], shares[5:].sum()[None]]))
