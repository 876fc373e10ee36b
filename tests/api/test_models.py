"""One set of keyword arguments opens every sampler; what would silently do nothing is refused."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import Scripted

import pairforge
from pairforge.api.models import answer, named_by, open_sampler, open_tokenizer, share_samplers, shared_sampler
from pairforge.errors import InputError
from pairforge.options.correction import CorrectOptions
from pairforge.options.declaration import part_of
from pairforge.options.sampling import SamplerOptions
from pairforge.resources import resource
from pairforge.samplers.openai_server import EndpointSampler
from pairforge.samplers.transformers import TransformersSampler
from pairforge.stopping import Budget
from pairforge.store import Store
from pairforge.types import PLAIN_TEMPLATE, Answer, Message, Prompt, Skip


def test_the_kind_follows_from_where() -> None:
    assert isinstance(open_sampler(SamplerOptions()), TransformersSampler)
    assert isinstance(open_sampler(SamplerOptions(base_url="http://127.0.0.1:1", model="m")), EndpointSampler)
    assert isinstance(open_sampler(SamplerOptions(provider="together", model="m")), EndpointSampler)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"base_url": "http://x", "replay": "y"}, "--base-url and --replay exclude each other"),
        ({"base_url": "http://x", "adapter": "y"}, "--adapter has no effect with --base-url"),
        ({"concurrency": 4}, "--concurrency has no effect with a local model"),
        ({"replay": "x", "timeout": 1.0}, "--timeout has no effect with --replay"),
        ({"base_url": "http://x", "api_key_env": "NOT_SET_ANYWHERE"}, "export NOT_SET_ANYWHERE"),
        ({"chat_template_kwargs": "thinking"}, "not a JSON object"),
        ({"chat_template_kwargs": "[1]"}, "not a JSON object"),
        ({"replay": "nowhere.jsonl"}, "--replay nowhere.jsonl: no such run or file"),
        ({"top_p": 2.0}, "--top-p"),
    ],
)
def test_what_does_not_go_together_is_one_line(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        open_sampler(SamplerOptions(**given))


@pytest.mark.parametrize(
    ("model", "option", "says", "fix"),
    [
        ("./zzzz", "--base ", "no model folder ./zzzz", "check the path given with --base"),
        ("model/config.json", "--base ", "--base model/config.json is a file", "--base model"),
        ("model/config.json", "--judge rm:", "--judge rm:model/config.json is a file", "--judge rm:model"),
        ("a.txt", "--judge rm:", "--judge rm:a.txt is a file", "--judge takes a folder or a Hub id"),
    ],
)
def test_an_error_about_a_model_names_the_option_that_named_it(
    model: str, option: str, says: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    for file in ("model/config.json", "a.txt"):
        Path(file).write_text("{}")
    with pytest.raises(InputError) as told, named_by(option):
        open_sampler(SamplerOptions(model=model))
    assert says in told.value.message and fix in str(told.value.fix)


@pytest.mark.parametrize(
    ("given", "means"),
    [
        ("enable_thinking=false", {"enable_thinking": False}),
        ('{"enable_thinking": false, "level": "low"}', {"enable_thinking": False, "level": "low"}),
        ("a=1,b=x y", {"a": 1, "b": "x y"}),
        ({"a": None}, {"a": None}),
    ],
)
def test_the_chat_template_is_told_what_was_meant(given: Any, means: dict[str, Any]) -> None:
    sampler: Any = open_sampler(SamplerOptions(chat_template_kwargs=given))
    assert sampler.settings()["chat_template_kwargs"] == means


def test_the_budget_is_no_part_of_the_key() -> None:
    options = CorrectOptions(max_minutes=2.0, max_tokens=5, max_failures=0, max_new_tokens=7)
    sampler, budget = open_sampler(options), part_of(options, Budget)
    assert (budget.max_minutes, budget.max_tokens, budget.max_failures) == (2.0, 5, 0)
    assert sampler.settings() == open_sampler(SamplerOptions(max_new_tokens=7)).settings()


def test_an_unknown_argument_is_an_error() -> None:
    unknown: Any = {"colour": "red"}
    with pytest.raises(TypeError, match="colour"):
        pairforge.correct("Qwen", "Deep Qwen", **unknown)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The pocket model's folder without its weights."""
    for file in resource("data", "pocket").glob("*[!s].json*"):
        shutil.copy(file, tmp_path)
    shutil.copy(resource("data", "pocket") / "chat_template.jinja", tmp_path)
    return tmp_path


def test_what_the_pocket_model_reads_with() -> None:
    reader = open_tokenizer("pocket")
    assert reader.ends == (reader.tokenizer.eos_token_id,)
    assert reader.inserted == "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    assert reader.checker(7).counts.max_length == 7


def test_a_folder_without_weights_will_do_and_one_without_a_template_gets_the_plain_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert open_tokenizer(str(folder)).inserted
    (folder / "chat_template.jinja").unlink()
    reader = open_tokenizer(str(folder))
    assert (reader.tokenizer.chat_template, reader.inserted) == (PLAIN_TEMPLATE, None)
    assert "no chat template" in capsys.readouterr().err


@pytest.mark.parametrize(("said", "ends"), [([5, 4095], (5, 4095)), (7, (7,)), (None, ())])
def test_the_ends_are_those_of_the_generation_settings(folder: Path, said: object, ends: tuple[int, ...]) -> None:
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": said}))
    assert open_tokenizer(str(folder)).ends == ends


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_tokenizer(str(tmp_path))


def test_within_a_block_a_sampler_is_opened_once() -> None:
    greedy, warm = SamplerOptions(model="pocket"), SamplerOptions(model="pocket", temperature=1.0)
    with share_samplers():
        one = shared_sampler(greedy)
        assert shared_sampler(SamplerOptions(model="pocket")) is one
        assert shared_sampler(warm) is not one
    assert shared_sampler(greedy) is not one


def test_it_is_said_how_many_answers_came_from_the_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prompts = [Prompt((Message(role="user", content=f"Q{n}?"),)) for n in range(4)]
    sampler = Scripted(lambda prompt, index, _: Skip("failed", "x") if prompt == prompts[3] else "yes")
    with closing(Store(tmp_path)) as store:
        answer(prompts[:2], sampler, 1, store, "ask", quiet=False)
        assert capsys.readouterr().err == "", "nothing was stored before"
        answer(prompts, sampler, 1, store, "ask", quiet=False)
        assert capsys.readouterr().err == "ask: 2 answers from the store, 2 asked\n"
        answer(prompts, sampler, 1, store, "ask", quiet=True)
        assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_loading_a_model_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for quiet in (True, False):
        pairforge.ask("Who are you?", output=str(tmp_path / str(quiet)), quiet=quiet)
        assert capsys.readouterr().err.count("loading the model pocket\n") == (not quiet)


def test_several_replays_are_one_model_or_the_model_is_named(tmp_path: Path) -> None:
    files = [tmp_path / f"{model}.jsonl" for model in ("a", "b")]
    for file in files:
        file.write_text(json.dumps({"prompt": "Hi", "answer": file.stem, "model": file.stem}) + "\n", "utf-8")
    named = [str(file) for file in files]
    with pytest.raises(InputError, match="has answers of a and b: which model are the pairs for"):
        open_sampler(SamplerOptions(replay=named))
    sampler = open_sampler(SamplerOptions(replay=named, model="c"))
    prompt = Prompt((Message(role="user", content="Hi"),))
    [made] = sampler.sample([prompt], 2, ())
    assert sampler.model == "c" and [made[prompt.id, index] for index in range(2)] == [
        Answer("a", "stop"),
        Answer("b", "stop"),
    ]


def test_a_backend_is_checked_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="--tensor-parallel has no effect with --backend transformers"):
        open_sampler(SamplerOptions(tensor_parallel=2))
    with pytest.raises(InputError, match="--backend has no effect with --base-url"):
        open_sampler(SamplerOptions(base_url="http://127.0.0.1:1", backend="vllm"))
    with pytest.raises(InputError, match="--served-as has no effect with a local model"):
        open_sampler(SamplerOptions(served_as="a"))
    monkeypatch.setattr("pairforge.samplers.continuous_batching.find_spec", lambda name: None)
    with pytest.raises(InputError) as error:
        open_sampler(SamplerOptions(backend="vllm"))
    assert error.value.fix == 'pip install "pairforge[vllm]"'
