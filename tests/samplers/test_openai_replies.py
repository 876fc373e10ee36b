"""Replies of many servers are read as what they say."""

import json
from typing import Any

import pytest
from fakeserver import FakeServer

from pairforge.samplers.decoding import Decoding
from pairforge.samplers.openai_replies import (
    error_message,
    error_status,
    parsed,
    refused_parameter,
    text_and_thought,
    value_at,
)
from pairforge.samplers.openai_server import EndpointSampler
from pairforge.types import Answer, Message, Prompt

PROMPT = Prompt((Message(role="user", content="Who?"),))


@pytest.mark.parametrize(
    ("message", "text", "thought"),
    [
        ({"content": "I am A."}, "I am A.", None),
        ({"content": None, "thinking": "hm"}, None, "hm"),
        ({"content": ["I am ", {"text": "A."}]}, "I am A.", None),
        ({"content": {"type": "text", "text": "I am A."}}, "I am A.", None),
        ({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "output_text", "text": "A."}]}, "A.", "hm"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}, "", "hm"),
        ({"content": [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "A."}]}, "A.", "hm"),
        ({"content": [], "reasoning": [{"text": "hm"}]}, "", "hm"),
        ({"content": []}, None, None),
        ({"content": 5}, None, None),
        ("no message", None, None),
    ],
)
def test_the_parts_of_a_content_are_text_or_thought(message: Any, text: str | None, thought: str | None) -> None:
    assert text_and_thought(message) == (text, thought)


def streamed(*texts: str, **last: Any) -> bytes:
    events: list[Any] = [{"model": "fake", "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    events += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": {"a": 1}}]
    lines = [": keep-alive", *(f"data: {json.dumps(event)}" for event in [*events, *filter(None, [last])])]
    return "\n\n".join([*lines, "data: [DONE]", ""]).encode()


def test_a_stream_is_one_reply() -> None:
    reply = parsed(streamed("I am ", "A."))
    assert value_at(reply, "choices") == [{"finish_reason": "stop", "message": {"content": "I am A."}}]
    assert (reply["model"], reply["usage"]) == ("fake", {"a": 1})
    assert error_status(parsed(streamed("I am ", error={"message": "overloaded", "code": 503}))) == 503
    whole = {"choices": [{"message": {"content": ["A."]}, "finish_reason": "stop"}]}
    assert parsed(f": PROCESSING\n\n{json.dumps(whole)}".encode()) == whole
    assert parsed(f"data: {json.dumps(whole)}\n\ndata: [DONE]".encode()) == whole
    for neither in (b"", b"<html>", b"data: [DONE]", b"data: half", b"{"):
        with pytest.raises(ValueError, match=r"line|value|Expecting"):
            parsed(neither)


def test_a_server_that_streams_unasked_or_thinks_in_parts_gives_answers() -> None:
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "A."}]
    replies = {0: streamed("I am ", "A."), 1: {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}}
    with FakeServer(lambda ask: replies[len(server.seen) - 1]) as server:
        sampler = EndpointSampler("fake", Decoding(temperature=1.0), base_url=server.url, concurrency=1)
        found = {key: answer for batch in sampler.sample([PROMPT], 2, ()) for key, answer in batch.items()}
    assert found[PROMPT.id, 0] == Answer("I am A.", "stop", 0)
    assert found[PROMPT.id, 1] == Answer("A.", "stop", 0, "hm")


@pytest.mark.parametrize(
    ("reply", "status", "message"),
    [
        ({"error": {"message": "no key", "code": "invalid_api_key"}}, 401, "no key"),
        ({"error": {"message": "busy", "type": "overloaded_error"}}, 529, "busy"),
        ([{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}], 429, "quota"),
        ({"error": "not found"}, 500, "not found"),
        ({"errors": [{"message": "no account"}], "success": False}, 500, "no account"),
        ({"code": 1113, "msg": "余额不足"}, 500, "余额不足"),
        ({"detail": "Not authenticated"}, 500, "Not authenticated"),
        ({"choices": [{"error": {"message": "upstream", "code": 502}}]}, 502, "upstream"),
    ],
)
def test_an_error_under_a_200_is_one(reply: Any, status: int, message: str) -> None:
    assert error_status(reply) == status
    assert error_message(json.dumps(reply).encode()) == message


def test_an_answer_is_no_error() -> None:
    for reply in ({"choices": []}, {"choices": [{"message": {"content": "error"}}], "error": None}, {}, [], "a", 5):
        assert error_status(reply) == 0


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("n > 1 is not supported", "n"),
        ("only n=1 is supported", "n"),
        ("max_tokens is deprecated, please use max_completion_tokens", "max_tokens"),
        ("参数seed不支持", "seed"),
        ("未知参数：top_k。请检查 seed", "top_k"),
        ("top_logprobs must be at most 5", "logprobs"),
        ("max_tokens must be less than 128", None),
        ("temperature must be in range [0, 1]", None),
        ("the model is unavailable", None),
        ("seeds are not supported", None),
    ],
)
def test_which_parameter_is_refused(said: str, refused: str | None) -> None:
    body = dict.fromkeys(("model", "max_tokens", "temperature", "seed", "top_k", "n", "logprobs", "top_logprobs"))
    assert refused_parameter(json.dumps({"error": {"message": said}}).encode(), body) == refused


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("temperature must be in (0, 1]", "temperature 0"),
        ("temperature must be in ]0;1]", "temperature 0"),
        ("temperature must be > 0", "temperature 0"),
        ("temperature should be greater than 0.0", "temperature 0"),
        ("temperature必须大于0", "temperature 0"),
        ("temperature must be at least 0.01", None),
        ("temperature must be > 0.5", None),
        ("temperature must be >= 0 and <= 1", None),
        ("temperature must be in (0.2, 1]", None),
        ("top_p must be in (0, 1]", None),
        ("'temperature' does not support 0 with this model. Only the default (1) value is supported.", "temperature"),
    ],
)
def test_a_temperature_of_0_may_be_refused_alone(said: str, refused: str | None) -> None:
    body = {"model": "m", "max_tokens": 9, "temperature": 0.0, "top_p": 1.0}
    assert refused_parameter(json.dumps({"error": {"message": said}}).encode(), body) == refused
    if refused != "temperature":
        assert refused_parameter(said.encode(), {**body, "temperature": 0.01}) is None


def test_what_a_server_refuses_to_say_is_refused() -> None:
    refusal = {"choices": [{"message": {"content": None, "refusal": "I can't."}, "finish_reason": "stop"}]}
    with FakeServer(lambda ask: refusal) as server:
        sampler = EndpointSampler("fake", Decoding(), base_url=server.url)
        (found,) = [answer for batch in sampler.sample([PROMPT], 1, ()) for answer in batch.values()]
    assert (found.reason, found.detail) == ("refused", "I can't.")  # type: ignore[union-attr]


def test_a_parameter_may_be_refused_as_a_failure_of_the_server() -> None:
    def script(ask: Any) -> Any:
        return (500, {}, "seed is not supported") if "seed" in ask.body else None

    with FakeServer(script) as server:
        sampler = EndpointSampler("fake", Decoding(temperature=1.0), base_url=server.url)
        assert not list(sampler.sample([PROMPT], 1, ()))
        assert sampler.settings()["sent_as"] == {"seed": None}
        assert [answer for batch in sampler.sample([PROMPT], 1, ()) for answer in batch.values()]
