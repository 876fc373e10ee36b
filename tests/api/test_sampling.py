"""One set of keyword arguments opens every sampler; what would silently do nothing is refused."""

from pathlib import Path
from typing import Any

import pytest

from pairforge.api.sampling import Sampling, open_sampler, open_sampling
from pairforge.errors import InputError
from pairforge.samplers.endpoint import EndpointSampler
from pairforge.samplers.transformers import TransformersSampler


def test_the_kind_follows_from_where() -> None:
    assert isinstance(open_sampler(), TransformersSampler)
    assert isinstance(open_sampler(base_url="http://127.0.0.1:1", model="m"), EndpointSampler)
    assert isinstance(open_sampler(provider="together", model="m"), EndpointSampler)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"base_url": "http://x", "replay": "y"}, "--base-url and --replay exclude each other"),
        ({"base_url": "http://x", "adapter": "y"}, "--adapter means nothing to --base-url"),
        ({"concurrency": 4}, "--concurrency means nothing to a local model"),
        ({"replay": "x", "timeout": 1.0}, "--timeout means nothing to --replay"),
        ({"base_url": "http://x", "api_key_env": "NOT_SET_ANYWHERE"}, "export NOT_SET_ANYWHERE"),
        ({"chat_template_kwargs": "thinking"}, "no JSON object"),
        ({"chat_template_kwargs": "[1]"}, "no JSON object"),
        ({"replay": "nowhere.jsonl"}, "can't be read"),
        ({"top_p": 2.0}, "--top-p"),
    ],
)
def test_what_does_not_go_together_is_one_line(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        open_sampler(**given)


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
    sampler: Any = open_sampler(chat_template_kwargs=given)
    assert sampler.settings()["chat_template_kwargs"] == means


def test_the_budget_is_no_part_of_the_key() -> None:
    sampling: Sampling = {"max_minutes": 2.0, "max_tokens": 5, "max_failures": 0, "max_new_tokens": 7}
    sampler, budget = open_sampling(0.0, sampling)
    assert (budget.max_minutes, budget.max_tokens, budget.max_failures) == (2.0, 5, 0)
    assert sampler.settings() == open_sampler(max_new_tokens=7).settings()


def test_an_unknown_argument_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="colour"):
        open_sampling(0.0, {"colour": "red"})
