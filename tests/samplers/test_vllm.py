"""vLLM, as far as it can be tested without it: every call fits the signatures that its wheel has."""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable
from inspect import Parameter
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from pairforge.errors import InputError
from pairforge.resources import resource
from pairforge.samplers.chat_template import ChatTemplate
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.model_loading import load_tokenizer
from pairforge.samplers.transformers import TransformersSampler
from pairforge.samplers.vllm import VllmSampler
from pairforge.types import Answer, Prompt, Skip

INTERFACE = json.loads(Path(__file__).with_name("vllm_interface.json").read_text())
PROMPTS = [Prompt(({"role": "user", "content": text},)) for text in ("What is your name?", "Hello!", "What is 2+2?")]


def check(name: str, *args: Any, **kwargs: Any) -> None:
    """Raise TypeError for a call that does not fit the signature that was recorded; the rest goes to EngineArgs."""
    found = INTERFACE["called"][name]
    parts = [Parameter(one, Parameter.POSITIONAL_OR_KEYWORD) for one in found["required"]]
    parts += [Parameter(one, Parameter.POSITIONAL_OR_KEYWORD, default=None) for one in found["optional"]]
    parts += [Parameter(one, Parameter.KEYWORD_ONLY, default=None) for one in found["keywords"]]
    more = set(kwargs) - {*found["required"], *found["optional"], *found["keywords"]}
    assert not more or found["more"]
    assert more <= {*INTERFACE["fields"]["EngineArgs"]}
    inspect.Signature(parts).bind(*args, **{name: value for name, value in kwargs.items() if name not in more})


def record(name: str) -> Callable[..., Any]:
    """A class of vLLM's that has the fields that were recorded, and takes no other."""

    def make(*args: Any, **kwargs: Any) -> SimpleNamespace:
        names = INTERFACE["fields"][name]
        given = dict(zip(names, args, strict=False)) | kwargs
        assert set(given) <= set(names)
        return SimpleNamespace(**given)

    return make


class FakeLLM:
    """Ends one request in each step, the last one first, with its seed as the answer."""

    made: ClassVar[list[FakeLLM]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        check("LLM", *args, **kwargs)
        self.model, self.options, self.waiting, self.aborted = args[0], kwargs, list[Any](), list[Any]()
        self.environment = {name: os.environ.get(name) for name in INTERFACE["environment"]}
        self.tokenizer = load_tokenizer(self.model, None)
        self.llm_engine, self.seen = self, list[Any]()
        FakeLLM.made.append(self)

    def enqueue(self, *args: Any, **kwargs: Any) -> list[str]:
        check("LLM.enqueue", *args, **kwargs)
        (prompt,), (params,) = args
        assert set(prompt) <= {*INTERFACE["fields"]["TokensPrompt"]}
        if len(prompt["prompt_token_ids"]) > 60:
            raise ValueError("The prompt is longer than the cache")
        number = str(len(self.seen))
        self.seen.append((prompt["prompt_token_ids"], params, kwargs))
        self.waiting.append((number, params))
        return [f"{number}-0a1b2c3d"]

    def step(self) -> list[Any]:
        number, params = self.waiting.pop()
        cut = getattr(params, "max_tokens", 16) == 3
        text = "a b c" if cut else f"<think>no</think> seed {getattr(params, 'seed', None)} END more"
        ids = self.tokenizer(text, add_special_tokens=False).input_ids + ([] if cut else [self.tokenizer.eos_token_id])
        output = record("CompletionOutput")(index=0, text="", token_ids=ids, finish_reason="length" if cut else "stop")
        check("RequestOutput", number, None, None, None, [output], True)
        return [SimpleNamespace(request_id=number, outputs=[output], finished=True)]

    def abort_request(self, *args: Any, **kwargs: Any) -> None:
        check("LLMEngine.abort_request", *args, **kwargs)
        self.aborted += args[0]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeLLM]:
    vllm, request = ModuleType("vllm"), ModuleType("vllm.lora.request")
    vllm.LLM, vllm.SamplingParams = FakeLLM, record("SamplingParams")  # type: ignore[attr-defined]
    request.LoRARequest = record("LoRARequest")  # type: ignore[attr-defined]
    for name, module in {"vllm": vllm, "vllm.lora": ModuleType("vllm.lora"), "vllm.lora.request": request}.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name in INTERFACE["environment"]:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr("pairforge.samplers.continuous_batching.find_spec", lambda name: name)
    FakeLLM.made = []
    return FakeLLM


def answers(sampler: Any, prompts: list[Prompt], n: int = 1) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for batch in sampler.sample(prompts, n, found):
        found |= batch
    return found


def test_answers_are_drawn_by_seeds_of_their_own_from_the_tokens_that_transformers_gets(fake: type[FakeLLM]) -> None:
    decoding = Decoding(temperature=0.8, top_k=20, stop="END")
    sampler = VllmSampler("pocket", decoding, tensor_parallel=2, batch_size=8)
    found = answers(sampler, PROMPTS, 2)
    (llm,) = fake.made
    assert llm.options["tensor_parallel_size"] == 2 and llm.options["max_num_seqs"] == 8
    assert llm.options["enable_prefix_caching"] and "enable_lora" not in llm.options
    assert llm.environment["VLLM_NO_USAGE_STATS"] == "1"
    assert len(found) == 6
    for key, answer in found.items():
        assert answer == Answer(f"seed {decoding.seed_of(key)}", "stop", thought="no")
    tokenizer = load_tokenizer("pocket", None)
    asked = [ids for ids, _, _ in llm.seen]
    assert asked == [ChatTemplate(tokenizer).encode(prompt) for prompt in PROMPTS for _ in range(2)]
    params = llm.seen[0][1]
    assert params.stop == ["END"] and tokenizer.eos_token_id in params.stop_token_ids and params.top_k == 20
    assert {*answers(sampler, PROMPTS, 3)} == {(prompt.id, index) for prompt in PROMPTS for index in range(3)}
    assert len(fake.made) == 1


def test_greedy_answers_need_no_seed_and_may_be_cut(fake: type[FakeLLM]) -> None:
    sampler = VllmSampler("pocket", Decoding(max_new_tokens=3))
    found = answers(sampler, PROMPTS)
    assert {answer.finish for answer in found.values()} == {"length"}
    assert not hasattr(fake.made[0].seen[0][1], "seed")
    other = sampler.with_decoding(max_new_tokens=4)
    answers(other, PROMPTS)
    assert len(fake.made) == 1  # the model is loaded once for both


def test_what_is_done_is_not_asked_and_what_cannot_be_asked_is_skipped(fake: type[FakeLLM]) -> None:
    long = Prompt(({"role": "user", "content": "one two three " * 20},))
    forged = Prompt(({"role": "user", "content": "<|im_end|>"},))
    sampler = VllmSampler("pocket")
    done = {(PROMPTS[0].id, 0): Answer("", "stop")}
    found = {key: one for batch in sampler.sample([*PROMPTS, long, forged], 1, done) for key, one in batch.items()}
    assert {*found} == {(prompt.id, 0) for prompt in (*PROMPTS[1:], long, forged)}
    assert found[long.id, 0] == Skip("too_long", "The prompt is longer than the cache")
    assert found[forged.id, 0].reason == "special_tokens"
    nothing = VllmSampler("pocket")
    assert not list(nothing.sample(PROMPTS, 1, {(prompt.id, 0) for prompt in PROMPTS})) and len(fake.made) == 1


def test_answers_come_as_they_end_and_the_rest_is_given_up(fake: type[FakeLLM]) -> None:
    sampler = VllmSampler("pocket")
    stream = sampler.sample(PROMPTS, 1, ())
    assert [*next(stream)] == [(PROMPTS[2].id, 0)]
    stream.close()  # type: ignore[attr-defined]
    assert fake.made[0].aborted == ["0", "1"]
    assert len(answers(sampler, PROMPTS)) == 3  # what was given up is not waited for


@pytest.mark.parametrize(("rank", "room"), [(4, 8), (16, 16), (20, 32)])
def test_an_adapter_goes_with_each_request(
    fake: type[FakeLLM], tmp_path: Path, rank: int, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"r": 4, "rank_pattern": {"q_proj": rank}, "base_model_name_or_path": str(resource("data", "pocket"))}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    sampler = VllmSampler(str(tmp_path))
    assert answers(sampler, PROMPTS[:1])
    (llm,) = fake.made
    assert llm.model == str(resource("data", "pocket"))
    assert llm.options["enable_lora"] and llm.options["max_lora_rank"] == room
    assert llm.seen[0][2]["lora_request"].lora_path == str(tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | {"r": 1000}))
    with pytest.raises(InputError, match="rank 1000"):
        answers(VllmSampler(str(tmp_path)), PROMPTS[:1])


def test_the_key_of_the_store_names_the_backend(fake: type[FakeLLM]) -> None:
    plain = TransformersSampler("pocket").settings()
    assert VllmSampler("pocket").settings() == plain | {"sampler": "vllm"}


def test_labels_have_probabilities_by_transformers(fake: type[FakeLLM]) -> None:
    judge = VllmSampler("pocket").with_labels(["1", "2"])
    (answer,) = answers(judge, PROMPTS[:1]).values()
    assert {*json.loads(answer.text)} == {"1", "2"} and judge.settings()["sampler"] == "transformers" and not fake.made


def test_what_has_no_effect_or_is_not_installed_is_refused(
    fake: type[FakeLLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="--backend vllm does not run on --device cpu"):
        VllmSampler("pocket", device="cpu")
    monkeypatch.setattr("pairforge.samplers.continuous_batching.find_spec", lambda name: None)
    with pytest.raises(InputError) as error:
        VllmSampler("pocket")
    assert error.value.fix == 'pip install "pairforge[vllm]"'
