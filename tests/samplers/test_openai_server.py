"""The endpoint sampler against real servers: whatever they do, each request ends in its own answer or in a Skip."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fakeserver import Ask, FakeServer, completion, meant
from hypothesis import given, settings
from hypothesis import strategies as st
from support import prompt

from pairforge import stages
from pairforge.errors import InputError, OutsideError
from pairforge.prompts import bundled
from pairforge.resources import resource
from pairforge.samplers import openai_server, retry
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.load_balancer import EQUAL_REJECTIONS, LoadBalancer, Request, Server
from pairforge.samplers.openai_client import chat_url
from pairforge.samplers.openai_server import EndpointSampler
from pairforge.samplers.retry import MAX_FAILURES, RequestError, retry_after
from pairforge.samplers.transformers import TransformersSampler
from pairforge.store import Store
from pairforge.types import Answer, Key, Prompt, Sampler, Skip

DRAWN = Decoding(temperature=1.0)
Made = dict[Key, "Answer | Skip"]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.002)
    yield
    assert [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")] == []


def prompts(count: int) -> list[Prompt]:
    return [prompt(f"question {number}") for number in range(count)]


def sampler(server: FakeServer | None = None, decoding: Decoding = DRAWN, **options: Any) -> EndpointSampler:
    if server:
        options.setdefault("base_url", [server.url])
    options.setdefault("model", "fake")
    return EndpointSampler(options.pop("model"), decoding, **options)


def sample(given: Sampler, asked: list[Prompt], n: int = 1) -> Made:
    made: Made = {}
    for batch in given.sample(asked, n, ()):
        assert not made.keys() & batch.keys(), "each key once"
        made |= batch
    assert made.keys() == {(prompt.id, index) for prompt in asked for index in range(n)}, "each key asked"
    return made


def expected(asked: list[Prompt], n: int = 1, decoding: Decoding = DRAWN) -> Made:
    """What a server means for each request, told apart by its seed."""
    return {
        (prompt.id, index): Answer(
            meant({"messages": prompt.messages, "seed": decoding.seed_of((prompt.id, index)) % 2**31}), "stop"
        )
        for prompt in asked
        for index in range(n)
    }


# What is asked, and what an answer's key is


def test_answers_are_keyed_and_nothing_is_asked_twice() -> None:
    asked = prompts(40)
    with FakeServer(lambda ask: asyncio.sleep(0.001)) as server:
        made = sample(sampler(server, concurrency=5), asked, 3)
        assert made == expected(asked, 3)
        assert all(isinstance(answer, Answer) and answer.tokens == 7 for answer in made.values())
        assert len(server.seen) == 120 and 1 < server.peak <= 5
        server.seen.clear()
        some = list(made)[::2]
        rest = [key for batch in sampler(server).sample(asked, 3, set(some)) for key in batch]
        assert len(rest) == len(server.seen) == 60 and not set(rest) & set(some)
        assert list(sampler(server).sample(asked, 3, made)) == [] == list(sampler(server).sample([], 3, ()))
        assert len(server.seen) == 60


def test_a_slow_request_delays_nobody() -> None:
    asked = prompts(30)
    with FakeServer() as server:
        others = asyncio.Event()
        server.script = lambda ask: others.wait() if ask.question == "question 0" else None
        made: Made = {}
        for batch in sampler(server, concurrency=2).sample(asked, 1, ()):
            made |= batch
            if len(made) == 29:
                assert (asked[0].id, 0) not in made
                server.call(others.set)
        assert made == expected(asked)


def test_a_request_says_the_whole_decoding() -> None:
    one = prompts(1)
    plain = {"model": "fake", "messages": [{"role": "user", "content": "question 0"}], "stream": False}
    with FakeServer() as server:
        sample(sampler(server, Decoding(max_new_tokens=9, stop=("\n\n",))), one)
        assert server.seen.pop().body == plain | {"max_tokens": 9, "temperature": 0.0, "stop": ["\n\n"]}
        every = Decoding(temperature=0.7, top_p=0.9, top_k=20, min_p=0.1, seed=3)
        sample(sampler(server, every, chat_template_kwargs={"enable_thinking": False}), one)
        assert server.seen.pop().body == plain | {
            "max_tokens": 256,
            "temperature": 0.7,
            "top_p": 0.9,
            "top_k": 20,
            "min_p": 0.1,
            "seed": every.seed_of((one[0].id, 0)) % 2**31,
            "chat_template_kwargs": {"enable_thinking": False},
        }


def test_another_decoding_asks_the_same_servers() -> None:
    with FakeServer(models=["only"]) as server:
        greedy = sampler(server, Decoding(), model=None)
        drawn = greedy.with_decoding(temperature=1.0)
        assert drawn.settings() == sampler(server, model="only").settings() != greedy.settings()
        assert sample(drawn, prompts(2)) == expected(prompts(2))
        sample(greedy, prompts(1))
        assert [seen.body["temperature"] for seen in server.seen if seen.body] == [1.0, 1.0, 0.0]
        assert [seen.path for seen in server.seen].count("/v1/models") == 1
        assert drawn.warnings is greedy.warnings


@pytest.mark.parametrize("form", ["", "/", "/v1", "/v1/", "/v1/chat/completions", "/v1/chat/completions/"])
def test_a_base_url_is_taken_in_every_form(form: str) -> None:
    with FakeServer() as server:
        given = sampler(base_url=[server.url + form])
        assert given.settings()["server"] == f"{server.url}/v1"
        assert sample(given, prompts(1)) == expected(prompts(1))
        assert server.seen[0].path == "/v1/chat/completions"


def test_urls_keep_their_path_and_query() -> None:
    assert chat_url("https://H/openai/v1") == "https://h/openai/v1/chat/completions"
    assert chat_url("https://h/proxy") == "https://h/proxy/v1/chat/completions"
    assert chat_url("https://h/v1beta/chat/completions?a=1") == "https://h/v1beta/chat/completions?a=1"
    for versioned in (
        "https://h/api/paas/v4",
        "https://h/v1beta/openai",
        "https://h/v1/me/gateway/compat",
        "https://h/v2/",
    ):
        assert chat_url(versioned) == versioned.rstrip("/") + "/chat/completions"
    assert sampler(base_url=["https://h/v1?key=secret"]).settings()["server"] == "https://h/v1"


@pytest.mark.parametrize(
    "url", ["h:8000", "", "ftp://h/v1", "http://", "http://h:99999999", "http://[::1", "http://u:p@h"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="--base-url"):
        sampler(base_url=[url])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"base_url": ["http://h"], "provider": "auto"},
        {"provider": "auto", "model": None},
        {"base_url": ["http://h"], "concurrency": 0},
        {"base_url": ["http://h"], "timeout": 0},
        {"base_url": ["http://h"], "timeout": float("nan")},
        {"base_url": ["http://h"], "api_key": "a b"},
        {"base_url": ["http://h"], "api_key": "schlüssel"},
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        sampler(**options)


def test_the_settings_hang_on_what_answers_hang_on() -> None:
    base = {"sampler": "endpoint", "server": "http://h/v1", "model": "fake"}
    assert sampler(base_url=["http://h"]).settings() == base | DRAWN.settings()
    usual = sampler(base_url=["http://h"]).settings()
    assert sampler(base_url=["http://h/v1", "http://g"], concurrency=1, timeout=9, api_key="x").settings() == usual
    assert sampler(base_url=["http://h"], chat_template_kwargs={"a": 1}).settings() == usual | {
        "chat_template_kwargs": {"a": 1}
    }
    assert sampler(provider="novita").settings()["server"] == "novita"


def test_the_model_is_asked_for_where_none_is_named() -> None:
    with FakeServer(models=["only"]) as server:
        given = sampler(server, model=None)
        assert given.settings()["model"] == given.model == "only"
        assert sample(given, prompts(2)) == expected(prompts(2))
        assert [seen.path for seen in server.seen].count("/v1/models") == 1
        server.models = ["one", "two", "\x1b[31m"]
        with pytest.raises(InputError, match=r"one, two, \\x1b\[31m"):
            sampler(server, model=None).settings()
        server.models = []
        with pytest.raises(InputError, match="no model"):
            sampler(server, model=None).settings()
    with pytest.raises(OutsideError, match="no server at"):
        sampler(server, model=None).settings()


# Keys


@pytest.mark.parametrize("key", [None, "", "mine"])
@pytest.mark.parametrize("where", ["variable", "file"])
def test_a_hub_token_never_goes_to_a_foreign_url(
    key: str | None, where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = "hf_" + "t" * 34
    if where == "variable":
        monkeypatch.setenv("HF_TOKEN", token)
    else:
        (tmp_path / "token").write_text(token)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    from huggingface_hub import get_token

    assert get_token() == token
    with FakeServer(lambda ask: (404, {}, "none") if ask.question == "last" else None) as server:
        given = sampler(server, model=None, api_key=key)
        sample(given, prompts(3))
        with pytest.raises(OutsideError):
            sample(given, [prompt("last")])
        assert len(server.seen) >= 5
        assert not [seen for seen in server.seen if token in json.dumps([*seen.headers.items(), seen.body, seen.path])]
        assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {key or 'EMPTY'}"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_prompts_go_to_the_named_server_alone(status: int) -> None:
    with FakeServer() as other, FakeServer() as server:
        place = other.url + "/v1/chat/completions"
        server.script = lambda ask: (status, {"Location": place + "?key=QUERY"}, "")
        with pytest.raises(OutsideError, match=f"redirects .{status}. to {other.url}") as raised:
            sample(sampler(server, api_key="mine"), prompts(1))
        assert other.seen == []
        assert "QUERY" not in str(raised.value)


def test_a_proxy_of_the_environment_is_used_and_its_exceptions_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with FakeServer() as proxy, FakeServer() as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert sample(sampler(base_url=["http://somewhere.invalid"]), prompts(3)) == expected(prompts(3))
        assert len(proxy.seen) == 3
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert sample(sampler(server), prompts(2)) == expected(prompts(2))
        assert (len(proxy.seen), len(server.seen)) == (3, 2)


def test_a_provider_gets_the_hub_token_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutsideError, match="HF_HUB_OFFLINE"):
        sample(sampler(provider="auto", api_key="hf_mine"), prompts(1))
    monkeypatch.setattr("huggingface_hub.is_offline_mode", lambda: False)
    with FakeServer() as server:
        monkeypatch.setattr(openai_server, "ROUTER_URL", server.url)
        monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_mine")
        assert sample(sampler(provider="auto"), prompts(2)) == expected(prompts(2))
        assert {seen.headers["authorization"] for seen in server.seen} == {"Bearer hf_mine"}
        assert {seen.body["model"] for seen in server.seen} == {"fake"}
        for token in (None, "oauth-of-another-kind"):
            monkeypatch.setattr("huggingface_hub.get_token", lambda token=token: token)
            with pytest.raises(OutsideError, match="hf auth login"):
                sample(sampler(provider="auto"), prompts(1))
        with pytest.raises(InputError, match="needs a Hub token"):
            sample(sampler(provider="together", api_key="key-of-together"), prompts(1))
        assert len(server.seen) == 2


def test_a_provider_is_named_behind_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.is_offline_mode", lambda: False)
    error = {"message": "The model 'fake' is not supported by provider 'nonesuch'", "code": "model_not_supported"}
    with FakeServer() as server:
        monkeypatch.setattr(openai_server, "ROUTER_URL", server.url)
        assert sample(sampler(provider="novita", api_key="hf_mine"), prompts(1)) == expected(prompts(1))
        assert server.seen[0].body["model"] == "fake:novita"
        server.script = lambda ask: (400, {}, error)
        with pytest.raises(OutsideError, match=r"nonesuch.*check --model and --provider"):
            sample(sampler(provider="nonesuch", api_key="hf_mine"), prompts(1))


# What isn't an answer

PASSING = {
    "429": 429,
    "503": 503,
    "500": 500,
    "502": (502, {}, "bad gateway"),
    "504": 504,
    "retry-after": (429, {"Retry-After": "0"}, "slow down"),
    "retry-after date": (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, "later"),
    "retry-after nonsense": (429, {"Retry-After": "soon"}, "later"),
    "html": b"<html>Sign in to the network</html>",
    "empty": b"",
    "half": "half",
    "reset": "reset",
    "close": "close",
    "number": b"5",
    "list": b"[]",
    "not utf-8": b"\xff\xfe{}",
    "deep": b"[" * 100_000,
    "digits": b"1" * 10_000,
    "no choices": {"choices": []},
    "null choices": {"choices": None},
    "choices of another type": {"choices": {"message": {"content": "hello"}}},
    "null content": {"choices": [{"message": {"content": None}, "finish_reason": "stop"}]},
    "content of another type": {"choices": [{"message": {"content": [1]}, "finish_reason": "stop"}]},
    "no finish": {"choices": [{"message": {"content": "half an ans"}, "finish_reason": None}]},
    "aborted": {"choices": [{"message": {"content": "half an ans"}, "finish_reason": "abort"}]},
    "methods": {"get": "x", "keys": 5, "choices": None},
    "error under 200": b'{"error": {"message": "failed to generate"}}',
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_what_passes_is_tried_again(fault: Any) -> None:
    with FakeServer(lambda ask: fault if ask.tries <= 2 else None) as server:
        server.script(Ask({"messages": [{"content": ""}]}, 1, 1))
        assert sample(sampler(server), prompts(4)) == expected(prompts(4))
        assert len(server.seen) == 12


@pytest.mark.parametrize("name", [name for name in PASSING if not name.startswith(("429", "502", "503", "retry"))])
def test_what_stays_ends_in_a_skip(name: str) -> None:
    with FakeServer(lambda ask: PASSING[name] if ask.question == "question 1" else None) as server:
        made = sample(sampler(server), prompts(4))
        failed = made.pop((prompts(4)[1].id, 0))
        assert isinstance(failed, Skip) and failed.reason == "failed" and f", {MAX_FAILURES} tries" in failed.detail
        assert "\n" not in failed.detail
        assert made.items() <= expected(prompts(4)).items() and len(made) == 3


def test_two_models_behind_one_url_are_told_apart() -> None:
    with FakeServer() as server:
        server.script = lambda ask: {"model": "other"} if random.random() < 0.3 and ask.tries < 4 else None
        assert sample(sampler(server, concurrency=4), prompts(60)) == expected(prompts(60))


@pytest.mark.parametrize("name", ["fake-2024-08-06", "org/Fake", "/models/fake@main", "fake:latest", "own-name.gguf"])
def test_a_server_may_have_its_own_name_for_the_model(name: str) -> None:
    with FakeServer(lambda ask: {"model": name}) as server:
        assert sample(sampler(server), prompts(9)) == expected(prompts(9))


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_request_has_its_time_and_no_more(fault: str) -> None:
    with FakeServer(lambda ask: fault if ask.question == "question 0" and ask.tries == 1 else None) as server:
        assert sample(sampler(server, timeout=0.3), prompts(4)) == expected(prompts(4))
        server.script = lambda ask: fault if ask.question == "question 0" else None
        made = sample(sampler(server, timeout=0.1), prompts(4))
        assert made[prompts(1)[0].id, 0] == Skip("failed", f"no answer within 0.1 s, {MAX_FAILURES} tries")


FAULTS = [None, 429, 503, 500, "half", "reset", "close", "hang", b"<html>", b"", {"choices": []}, {"model": "other"}]


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_whatever_a_server_does_each_answer_is_its_own(seed: int) -> None:
    """Faults at random, fewer for one request than it has tries but for some that never work."""
    asked = prompts(12)

    def script(ask: Ask) -> Any:
        own = random.Random(f"{seed} {json.dumps(ask.body)}")
        faults = own.choices(FAULTS, k=MAX_FAILURES - 2)
        if own.random() < 0.1:
            return 500
        return faults[ask.tries - 1] if ask.tries <= len(faults) and own.random() < 0.7 else None

    with FakeServer(script) as server:
        made = sample(sampler(server, concurrency=6, timeout=0.2), asked, 2)
    answers = {key: answer for key, answer in made.items() if isinstance(answer, Answer)}
    assert answers.items() <= expected(asked, 2).items()
    assert {skip.reason for skip in made.values() if isinstance(skip, Skip)} <= {"failed"}


def reply(content: Any, finish: Any, **more: Any) -> dict[str, Any]:
    return {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}]
    } | more


def thinking(content: str, finish: str) -> dict[str, Any]:
    """A reply whose thought is in a field of its own, too."""
    message = {"role": "assistant", "content": content, "reasoning_content": "b"}
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (reply("a", "stop"), Answer("a", "stop")),
        (reply("a", "eos_token"), Answer("a", "stop")),
        (reply("a", "EOS"), Answer("a", "stop")),
        (reply("a", "stop_sequence"), Answer("a", "stop")),
        (reply("a", "length"), Answer("a", "length")),
        (reply("", "stop"), Answer("", "stop")),
        (reply(" a\n", "stop"), Answer("a", "stop")),
        (reply("a\x00\x1b[31mb", "stop"), Answer("a\x00\x1b[31mb", "stop")),
        (reply("a\ud800b\U0001f600", "stop"), Answer("a\ufffdb\U0001f600", "stop")),
        (reply("a END b", "length"), Answer("a", "stop")),
        (reply(None, "length"), Answer("", "length")),
        (reply([{"type": "thinking", "thinking": []}, {"type": "text", "text": "a"}], "stop"), Answer("a", "stop")),
        (reply([{"type": "thinking", "thinking": []}], "length"), Answer("", "length")),
        (thinking("<think>\nb\n</think>\n\na", "stop"), Answer("a", "stop", thought="b")),
        (thinking("<think>\nb", "length"), Answer("", "length", thought="b")),
        (thinking("a </think> b", "stop"), Answer("b", "stop", thought="b")),
        (reply("a", "content_filter"), Skip("refused", "the server ended the answer by content_filter")),
        (reply(None, "tool_calls"), Skip("refused", "the server ended the answer by tool_calls")),
        (reply("a", "stop", usage=None), Answer("a", "stop")),
        (reply("a", "stop", usage={"completion_tokens": "many"}), Answer("a", "stop")),
    ],
)
def test_what_counts_as_an_answer(given: dict[str, Any], read: Answer | Skip) -> None:
    with FakeServer(lambda ask: given) as server:
        made = sample(sampler(server, Decoding(stop=("END",))), prompts(1))
    assert list(made.values()) == [read]


def test_a_prompt_that_cannot_be_sent_is_skipped() -> None:
    broken = prompt("Hello \ud800")
    with FakeServer() as server:
        made = sample(sampler(server), [*prompts(2), broken])
        assert made.pop((broken.id, 0)) == Skip("encoding", "the prompt holds a lone surrogate, U+D800")
        assert made == expected(prompts(2)) and len(server.seen) == 2


# What ends a run, and what doesn't


@pytest.mark.parametrize(
    ("status", "message", "says"),
    [
        (401, "bad key", "--api-key-env"),
        (402, "no credit", "top the account up"),
        (403, "not yours", "--api-key-env"),
        (404, "no such model", "fake-1, fake-2"),
        (429, "insufficient_quota", "top the account up"),
    ],
)
def test_what_no_request_can_mend_ends_the_run(status: int, message: str, says: str) -> None:
    with FakeServer(lambda ask: (status, {}, f"{message}\n\x1b[31m sk-secret"), ["fake-1", "fake-2"]) as server:
        with pytest.raises(OutsideError, match=says) as caught:
            sample(sampler(server, api_key="sk-secret", concurrency=3), prompts(50))
        text = str(caught.value)
        assert str(status) in text and "\n" not in text and "\x1b" not in text and "sk-secret" not in text
        assert sum(seen.method == "POST" for seen in server.seen) <= 3


def test_an_account_that_is_spent_is_told_from_a_busy_server() -> None:
    error = {"message": "Check your plan", "code": "insufficient_quota"}
    with FakeServer(lambda ask: (429, {}, error)) as server:
        with pytest.raises(OutsideError, match=r"429 Check your plan \(top the account up"):
            sample(sampler(server, concurrency=1), prompts(9))
        assert len(server.seen) == 1


def test_what_came_before_the_end_is_given() -> None:
    with FakeServer(lambda ask: 401 if ask.question == "question 30" else None) as server:
        made: Made = {}
        batches = sampler(server, concurrency=1).sample(prompts(50), 1, ())
        with pytest.raises(OutsideError):
            made.update(item for batch in batches for item in batch.items())
        assert made == expected(prompts(30))


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (400, "This model's maximum context length is 64 tokens", "too_long"),
        (422, "no emoji please", "rejected"),
        (413, "too much", "rejected"),
    ],
)
def test_a_prompt_the_server_will_not_have_is_skipped_and_not_tried_again(
    status: int, message: str, reason: str
) -> None:
    bad = {"question 0", "question 2", "question 5"}
    with FakeServer(lambda ask: (status, {}, message) if ask.question in bad else None) as server:
        made = sample(sampler(server, concurrency=2), prompts(20))
        skips = {key: skip for key, skip in made.items() if isinstance(skip, Skip)}
        assert Counter(skips.values()) == {Skip(reason, f"{status} {message}"): 3} and len(server.seen) == 20


def test_requests_that_are_all_rejected_alike_end_the_run() -> None:
    with FakeServer(lambda ask: (400, {}, "'top_k' must be at most 3")) as server:
        with pytest.raises(
            OutsideError, match=r"rejects every request: 400 'top_k' must be at most 3 .*change or leave"
        ):
            sample(sampler(server, Decoding(temperature=1.0, top_k=5), concurrency=2), prompts(50))
        assert len(server.seen) <= EQUAL_REJECTIONS + 2
        few = sample(sampler(server), prompts(EQUAL_REJECTIONS - 1))
        assert {skip.reason for skip in few.values() if isinstance(skip, Skip)} == {"rejected"}


# What a server does not take


def pydantic(name: str) -> tuple[int, dict[str, str], str]:
    detail = [{"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": 1}]
    return 422, {}, json.dumps(detail)


REFUSALS = {
    "OpenAI": ("max_tokens", (400, {}, {
        "message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
        "instead.", "param": "max_tokens", "code": "unsupported_parameter"})),
    "OpenAI, a value": ("temperature", (400, {}, {
        "message": "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value "
        "is supported.", "param": "temperature", "code": "unsupported_value"})),
    "OpenAI, old": ("top_k", (400, {}, {"message": "Unrecognized request argument supplied: top_k", "param": None})),
    "Azure": ("top_k", (400, {}, "Unknown parameter: 'top_k'. Supported are temperature, seed and stop.")),
    "LiteLLM": ("seed", (400, {}, "UnsupportedParamsError: ollama does not support parameters: ['seed', 'min_p'].")),
    "Mistral": ("min_p", pydantic("min_p")),
    "Groq": ("min_p", (400, {}, "property 'min_p' is unsupported")),
    "Gemini": ("seed", (400, {}, 'Invalid JSON payload received. Unknown name "seed": Cannot find field.')),
    "xAI": ("stop", (400, {}, "Argument not supported on this model: stop")),
    "Moonshot": ("temperature", (400, {}, "invalid temperature: only 1 is allowed for this model")),
    "Bedrock": ("top_p", (400, {}, "`temperature` and `top_p` cannot both be specified for this model.")),
    "Fireworks": ("top_k", (400, {}, "Extra inputs are not permitted, field: 'top_k', value: 5")),
    "TGI": ("temperature", (422, {}, "Input validation error: `temperature` must be strictly positive")),
    "vLLM": ("chat_template_kwargs", pydantic("chat_template_kwargs")),
    "under a 200": ("seed", {"error": {"message": "seed is not supported", "code": 400}}),
}  # fmt: skip
EVERY = Decoding(temperature=0.7, top_p=0.9, top_k=5, min_p=0.1, stop=("END",))


def asked_through(store: Store, given: Sampler, asked: list[Prompt], n: int = 1) -> dict[str, list[Answer] | Skip]:
    return stages.sample(asked, given, n, store)


@pytest.mark.parametrize(("parameter", "says"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_a_server_refuses_is_left_out(parameter: str, says: Any, tmp_path: Path) -> None:
    with FakeServer(lambda ask: says if parameter in ask.body else None) as server, closing(Store(tmp_path)) as store:
        given = sampler(server, EVERY, chat_template_kwargs={"a": 1}, concurrency=4)
        wanted = given.settings()
        made = asked_through(store, given, prompts(9))
        assert all(isinstance(answers, list) and len(answers) == 1 for answers in made.values())
        renamed = "max_completion_tokens" if parameter == "max_tokens" else None
        assert given.settings() == wanted | {"sent_as": {parameter: renamed}}
        assert len(given.warnings) == 1 and f"`{parameter}`" in given.warnings[0]
        last = server.seen[-1].body
        assert parameter not in last and (renamed is None or last[renamed] == 256) and len(last) == 11 - (not renamed)
        assert len(server.seen) <= 4 + 9
        # Another process, which does not know: one answer of the server tells it, and nothing else is asked again.
        server.seen.clear()
        again = sampler(server, EVERY, chat_template_kwargs={"a": 1}, concurrency=4)
        assert asked_through(store, again, prompts(9)) == made
        assert len(server.seen) <= 4 and all(parameter in seen.body for seen in server.seen)


def test_several_are_left_out_one_after_the_other(tmp_path: Path) -> None:
    unknown = ("seed", "top_k", "min_p")

    def script(ask: Ask) -> Any:
        found = [name for name in unknown if name in ask.body]
        return (400, {}, f"does not support parameters: {found}") if found else None

    with FakeServer(script) as server, closing(Store(tmp_path)) as store:
        given = sampler(server, EVERY)
        assert all(isinstance(answers, list) for answers in asked_through(store, given, prompts(3)).values())
        assert given.settings()["sent_as"] == dict.fromkeys(unknown) and len(given.warnings) == 3
        assert "sent_as" not in given.with_decoding(temperature=0.0).settings()


@pytest.mark.parametrize(
    "says",
    [
        (400, {}, "invalid params, temperature must be in (0.0, 1.0]"),  # MiniMax
        (422, {}, {"status": 422, "message": "Invalid params: temperature must be in range (0, +inf)"}),  # GigaChat
        (400, {}, {"code": "1214", "message": "temperature参数非法。请检查文档。"}),  # Zhipu
        (500, {}, "`temperature` (=0.0) has to be a strictly positive float, otherwise your next token scores will"),
        {"error": {"message": "0 < temperature <= 1", "code": 400}},
    ],
)
def test_a_server_that_does_not_take_temperature_0_gets_the_nearest(says: Any, tmp_path: Path) -> None:
    with FakeServer(lambda ask: None if ask.body["temperature"] else says) as server, closing(Store(tmp_path)) as store:
        given = sampler(server, Decoding())
        wanted = given.settings()
        made = asked_through(store, given, prompts(9))
        assert all(isinstance(answers, list) and len(answers) == 1 for answers in made.values())
        assert server.seen[-1].body["temperature"] == 0.01
        assert given.settings() == wanted | {"sent_as": {"temperature 0": "0.01"}}
        (warning,) = given.warnings
        assert warning.startswith(f"`temperature 0` is sent as `0.01` ({server.url}")
        drawn = given.with_decoding(temperature=1.0)
        assert sample(drawn, prompts(1)) and server.seen[-1].body["temperature"] == 1.0
        assert "sent_as" not in drawn.settings()
        server.seen.clear()
        assert asked_through(store, sampler(server, Decoding(), concurrency=4), prompts(9)) == made
        assert len(server.seen) <= 4, "another process is told by the first answer, and asks nothing again"


def test_a_server_that_takes_no_temperature_near_0_says_so() -> None:
    says = "temperature must be in (0.5, 1]"
    with (
        FakeServer(lambda ask: (400, {}, says)) as server,
        pytest.raises(OutsideError, match=re.escape(f"rejects every request: 400 {says} (change or leave out")),
    ):
        sample(sampler(server, Decoding()), prompts(9))


@pytest.mark.parametrize(
    "message",
    [
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
        "System role not supported",
        "max_tokens is too large: 99999. This model supports at most 4096 completion tokens.",
        "The response was filtered due to the prompt triggering our content policy",
    ],
)
def test_what_is_about_something_else_is_not_left_out(message: str, tmp_path: Path) -> None:
    with FakeServer(lambda ask: (400, {}, message)) as server, closing(Store(tmp_path)) as store:
        given = sampler(server, EVERY)
        made = asked_through(store, given, prompts(2))
        assert {skip.reason for skip in made.values() if isinstance(skip, Skip)} == {"rejected"}
        assert "sent_as" not in given.settings() and not given.warnings


def test_an_error_under_a_200_is_read_by_its_code() -> None:
    busy = {"error": {"message": "Rate limit exceeded: free-models-per-min", "code": 429}}
    with FakeServer(lambda ask: busy if ask.tries == 1 else None) as server:
        assert sample(sampler(server), prompts(4)) == expected(prompts(4))
    provider = {"choices": [{"error": {"message": "no such key", "code": 401}, "finish_reason": "error"}]}
    with FakeServer(lambda ask: provider) as server, pytest.raises(OutsideError, match="401 no such key"):
        sample(sampler(server), prompts(4))


def test_a_wrong_address_is_named_whole() -> None:
    with FakeServer(lambda ask: 404) as server, pytest.raises(OutsideError, match=r"requests go to http.*/chat/compl"):
        sample(sampler(server), prompts(4))


def closed_url() -> str:
    """Where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_where_nobody_answers_the_run_ends() -> None:
    url = closed_url()
    with pytest.raises(OutsideError, match=f"no server at {url}/v1: ") as caught:
        sample(sampler(base_url=[url]), prompts(50))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_refuses_everything_ends_the_run(status: int) -> None:
    with (
        FakeServer(lambda ask: status) as server,
        pytest.raises(OutsideError, match=f"refused.*{status} told to fail"),
    ):
        sample(sampler(server), prompts(50))


@pytest.mark.parametrize("fault", [503, 429])
def test_a_server_that_goes_down_in_the_middle_is_waited_for(fault: Any) -> None:
    asked = prompts(40)
    with FakeServer() as server:
        iterator = sampler(server, concurrency=1).sample(asked, 1, ())
        made = dict(next(iterator))
        left = iter(range(6))
        server.script = lambda ask: fault if next(left, None) is not None else None
        for batch in iterator:
            made |= batch
    assert made == expected(asked) and next(left, None) is None


# Answers under a name


def test_all_answers_to_a_prompt_are_asked_for_in_one_request() -> None:
    with FakeServer() as server:
        asking = sampler(server, one_request=True, price=(1e6, 0))
        made = sample(asking, prompts(5), 4)
        assert [one.body["n"] for one in server.seen] == [4] * 5 and asking.cost == 3 * 5
        for name, one in expected(prompts(5), 4).items():
            assert (made[name] == one) == (name[1] == 0)
        assert len({one.text for one in made.values() if isinstance(one, Answer)}) == 20
        assert {one.tokens for one in made.values() if isinstance(one, Answer)} == {7}
        assert asking.settings() != sampler(server).settings()


def _one_is_cut(ask: Ask) -> Any:
    """The second of the answers has no end, the first time."""
    whole = completion(ask.body)["choices"]
    return {
        "choices": [
            {**one, "finish_reason": "stop" if number != 1 or ask.tries > 1 else None}
            for number, one in enumerate(whole)
        ]
    }


@pytest.mark.parametrize(
    "script",
    [
        lambda ask: {"choices": completion(ask.body)["choices"][:1]},
        lambda ask: {"choices": completion(ask.body)["choices"][:3]},
        _one_is_cut,
        lambda ask: (503, 400)[ask.tries > 1] if ask.question == "question 1" else None,
        lambda ask: {"choices": []} if ask.tries < 3 else None,
    ],
)
def test_a_server_may_give_fewer_answers_than_it_is_asked_for(script: Any) -> None:
    with FakeServer(script) as server:
        made = sample(sampler(server, one_request=True), prompts(3), 4)
        skipped = {name for name, one in made.items() if isinstance(one, Skip)}
        assert skipped == ({name for name in made if name[0] == prompts(3)[1].id} if skipped else set())
        assert len({one.text for one in made.values() if isinstance(one, Answer)}) == 12 - len(skipped)


def test_a_server_that_does_not_know_n_is_asked_without_it(tmp_path: Path) -> None:
    with FakeServer(lambda ask: (400, {}, "unknown parameter: n") if "n" in ask.body else None) as server:
        asking = sampler(server, one_request=True)
        with closing(Store(tmp_path)) as store:
            found = stages.sample(prompts(3), asking, 4, store)
        assert all(isinstance(one, list) and len(one) == 4 for one in found.values())
        assert asking.settings()["sent_as"] == {"n": None} and "request of its own" in asking.warnings[0]


def test_answers_are_found_under_a_name_on_another_host(tmp_path: Path) -> None:
    asked, store = prompts(3), Store(tmp_path)
    with FakeServer() as first, FakeServer() as second:
        unnamed = stages.sample(asked, sampler(first), 1, store)
        more = stages.sample(asked, sampler(first, served_as="fake-7b"), 2, store)
        assert len(first.seen) == 6 and all(more[name][:1] == given for name, given in unnamed.items())  # type: ignore[index]
        there = sampler(second, served_as="fake-7b")
        assert stages.sample(asked, there, 2, store) == more and not second.seen
        assert there.settings()["server"] == "fake-7b"
        stages.sample(asked, sampler(second), 1, store)
        assert len(second.seen) == 3


def test_a_name_is_not_a_url_and_needs_a_server() -> None:
    with pytest.raises(InputError, match="not a URL"):
        sampler(base_url=["http://h"], served_as="http://g")
    with pytest.raises(InputError, match="needs a server"):
        sampler(provider="novita", served_as="a")


# Concurrency and replicas


def test_a_storm_of_429_is_ridden_out_by_asking_less() -> None:
    with FakeServer(lambda ask: 429 if ask.running > 3 else asyncio.sleep(0.002)) as server:
        given = sampler(server, concurrency=24)
        assert sample(given, prompts(150)) == expected(prompts(150))
        assert next(iter(given._servers)).limit < 12
        assert len(server.seen) < 450


def test_a_server_is_asked_less_once_for_a_burst_and_more_again_by_answers() -> None:
    server = Server("s", 32)
    for _ in range(20):
        server.record_refusal(started=1.0, now=2.0, wait=0)
    assert server.limit == 16 and server.refused_bursts == 1 and server.has_room(2.0)
    server.record_refusal(started=2.5, now=3.0, wait=0)
    assert server.limit == 8 and not server.has_room(3.0)
    for _ in range(8):
        server.record_success()
    assert 8.9 < server.limit < 9 and not server.refused_bursts
    for _ in range(5000):
        server.record_success()
    assert server.limit == 32
    for burst in range(20):
        server.record_refusal(started=10.0 + burst, now=10.0 + burst, wait=0)
    assert server.limit == 1 and server.exhausted


def test_retry_after_is_kept_to_within_a_minute() -> None:
    server = Server("s", 4)
    server.record_refusal(started=0, now=10.0, wait=5.0)
    assert not server.has_room(14.9) and server.has_room(15.0)
    server.record_refusal(started=0, now=10.0, wait=float("inf"))
    assert not server.has_room(69.9) and server.has_room(70.0)


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("7") == 7 and retry_after("0.5") == 0.5
    assert 3e9 < retry_after("Fri, 31 Dec 2199 23:59:59 GMT") < 1e10
    for nothing in (None, "", "-3", "nan", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Foo 2015"):
        assert retry_after(nothing) == 0


def test_replicas_share_the_work_and_the_weak_one_gets_less() -> None:
    with FakeServer() as strong, FakeServer() as weak:
        strong.script = lambda ask: asyncio.sleep(0.001)
        weak.script = lambda ask: 429 if ask.running > 1 else asyncio.sleep(0.02)
        given = sampler(base_url=[strong.url, weak.url], concurrency=8)
        assert sample(given, prompts(200)) == expected(prompts(200))
        served = [sum(server.tries.values()) for server in (strong, weak)]
        assert 0 < served[1] < served[0]


def test_a_dead_replica_is_set_aside() -> None:
    with FakeServer(lambda ask: asyncio.sleep(0.001)) as server:
        url = closed_url()
        given = sampler(base_url=[url, server.url], concurrency=8)
        assert sample(given, prompts(200)) == expected(prompts(200))
        assert given.warnings == [f"{url}/v1 could not be reached: the other servers did its work"]
        assert next(iter(given._servers)).limit < 8
        sample(given, prompts(4))
        assert len(given.warnings) == 1


@pytest.mark.parametrize("fault", [500, b"<html>", "close", 503])
def test_a_replica_that_fails_fast_does_not_draw_the_work_to_itself(fault: Any) -> None:
    with FakeServer(lambda ask: fault) as bad, FakeServer(lambda ask: asyncio.sleep(0.002)) as good:
        made = sample(sampler(base_url=[bad.url, good.url], concurrency=4), prompts(300))
        assert made == expected(prompts(300))


# The thread and the loop in it


def test_no_moment_slips_between_two_looks_at_the_clock() -> None:
    """A request may fall due after the look for what is due, and before the wait for what isn't."""

    async def busy(server: Server, request: Request) -> list[Answer | Skip] | RequestError:
        return RequestError("failed", "not yet") if request.failures < 3 else [Answer("a", "stop")]

    async def run() -> None:
        loop, ticks = asyncio.get_running_loop(), count()
        clock = loop.time
        loop.time = lambda: clock() + next(ticks) * 0.0005  # type: ignore[method-assign]
        wanted = [(prompt, [(prompt.id, 0)]) for prompt in prompts(50)]
        traffic = LoadBalancer(wanted, [Server("s", 1)], busy, 60.0, made.append, lambda: False)
        await asyncio.wait_for(traffic.run(), 60)

    made: list[tuple[Key, Answer | Skip]] = []
    asyncio.run(run())
    assert len(made) == 50


def test_leaving_early_ends_everything() -> None:
    with FakeServer(lambda ask: "hang" if ask.question == "question 3" else None) as server:
        iterator = sampler(server, concurrency=4).sample(prompts(500), 1, ())
        assert next(iterator)
        assert threading.active_count() > 2
        iterator.close()  # type: ignore[attr-defined]
        assert len(server.seen) < 500
        seen = len(server.seen)
        assert sample(sampler(server), prompts(2)) == expected(prompts(2))
        # The server may read up to four requests that were on their way when the iterator was closed.
        assert seen + 2 <= len(server.seen) <= seen + 4 + 2


def test_what_has_come_is_yielded_after_a_stop() -> None:
    """It was paid for."""
    with FakeServer() as server:
        asking = sampler(server, concurrency=1, price=(0, 1e6))
        batches = asking.sample(prompts(50), 1, ())
        came = {**next(batches)}
        deadline = time.monotonic() + 20
        while (asking.cost or 0) < 7 * (len(came) + 2) and time.monotonic() < deadline:
            time.sleep(0.01)
        asking.stop()
        for batch in batches:
            came |= batch
        assert asking.cost == 7 * len(came) and 3 <= len(came) < 50
        asking.stop()
        assert len(sample(asking, prompts(50))) == 50  # it can be asked again


def test_answers_are_made_only_as_they_are_taken() -> None:
    with FakeServer() as server:
        iterator = sampler(server, concurrency=2).sample(prompts(400), 1, ())
        taken = len(next(iterator))
        threading.Event().wait(0.3)
        assert len(server.seen) <= taken + 4 * 2 + 2
        assert taken + sum(map(len, iterator)) == 400


def test_it_works_where_a_loop_is_running() -> None:
    async def notebook(server: FakeServer) -> Made:
        return sample(sampler(server, model=None), prompts(3))

    with FakeServer() as server:
        assert asyncio.run(notebook(server)) == expected(prompts(3))


def test_neither_torch_nor_transformers_is_loaded() -> None:
    code = """
import sys
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.openai_server import EndpointSampler
from pairforge.types import Prompt
assert "huggingface_hub" not in sys.modules
sampler = EndpointSampler("fake", Decoding(), base_url=[sys.argv[1]])
made = [answer for batch in sampler.sample([Prompt(({"role": "user", "content": "Hi"},))], 1, ()) for answer in batch]
print(len(made), sorted({"torch", "transformers"} & set(sys.modules)))
"""
    with FakeServer() as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, server.url], capture_output=True, text=True, check=True
        )
    assert done.stdout == "1 []\n" and not done.stderr


# A server that is none of ours


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of `transformers serve`, offline."""
    folder = tmp_path_factory.mktemp("serving")
    url = closed_url()
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", "--host", "127.0.0.1"]
    command += ["--port", url.rpartition(":")[2], "--device", "cpu", "--dtype", "float32"]
    environment = {**os.environ, "HF_HOME": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        while True:
            assert process.poll() is None, (folder / "log.txt").read_text("utf-8", "replace")
            with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5):
                break
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("new_tokens", [64, 4])
def test_greedy_answers_of_transformers_serve_are_those_of_the_local_sampler(serving: str, new_tokens: int) -> None:
    asked, greedy = bundled("identity.eval")[:12], Decoding(max_new_tokens=new_tokens)
    folder = str(resource("data", "pocket"))
    served = sample(sampler(None, greedy, model=folder, base_url=[serving], concurrency=4), asked)
    assert served == sample(TransformersSampler(folder, greedy), asked)
    assert {answer.finish for answer in served.values() if isinstance(answer, Answer)} == {
        "stop" if new_tokens == 64 else "length"
    }


@pytest.mark.slow
def test_transformers_serve_draws_and_names_what_it_does_not_know(serving: str, tmp_path: Path) -> None:
    asked, folder = bundled("identity.eval")[:6], str(resource("data", "pocket"))
    drawn = sample(
        sampler(None, Decoding(max_new_tokens=16, temperature=1.0, top_p=0.9), model=folder, base_url=[serving]),
        asked,
        2,
    )
    assert all(isinstance(answer, Answer) for answer in drawn.values())
    cut = sampler(None, Decoding(max_new_tokens=16, temperature=1.0, min_p=0.1), model=folder, base_url=[serving])
    with closing(Store(tmp_path)) as store:
        given = asked_through(store, cut, asked)
    assert all(isinstance(answers, list) for answers in given.values())
    assert cut.settings()["sent_as"] == {"min_p": None}
