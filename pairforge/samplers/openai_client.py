"""One OpenAI-compatible chat server, spoken to through huggingface_hub.

What a chat server sent: an answer, or in one line why it is none.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from importlib import import_module
from time import time
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from ..errors import InputError, OutsideError
from ..text import visible, without_surrogates
from ..types import Answer, Prompt, Skip
from .load_balancer import REJECTED
from .retry import RequestError

_FINISH: dict[str, Literal["stop", "length"]] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "stop_sequence", "end_turn"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_length"), "length"),
}
_WITHHELD = ("content_filter", "safety", "refusal", "tool_calls", "function_call")
_OWN_NAME = 3  # replies under one name and none under the asked one, after which it is the server's own for that model


class Replies:
    """Reads the replies of one server to requests for answers of one model (None: whichever), ended by `stop` strings.

    A reply under another model's name, as from a balancer before two models, is none. Many servers have names of their
    own, though: one that stays the same while the asked one never appears is taken for that.
    """

    def __init__(self, model: str | None, stop: Sequence[str]) -> None:
        self._model, self._stop = model, stop
        self._foreign: Counter[str] = Counter()
        self._named = False

    def read(self, reply: Any) -> Answer | Skip | RequestError:
        """A parsed body. None of it is taken on trust: whatever is missing or of another type makes it no answer."""
        finish = str(_at(reply, "choices", 0, "finish_reason")).lower()
        text = _at(reply, "choices", 0, "message", "content")
        if finish in _WITHHELD:
            return Skip("refused", f"the server ended the answer by {finish}")
        if not isinstance(text, str):
            return RequestError("failed", "a reply without an answer")
        if finish not in _FINISH:
            return RequestError("failed", f"an answer not said to be whole, finish_reason {line(finish, '')}")
        if self._is_foreign(_at(reply, "model")):
            return RequestError("failed", f"an answer by another model, {line(str(_at(reply, 'model')), '')}")
        tokens = _at(reply, "usage", "completion_tokens")
        whole = without_surrogates(text)
        # Some servers leave the stop string on.
        ends = [whole.index(stop) for stop in self._stop if stop in whole]
        return Answer(
            whole[: min(ends, default=None)].strip(),
            "stop" if ends else _FINISH[finish],
            tokens if type(tokens) is int and tokens > 0 else 0,
        )

    def _is_foreign(self, name: Any) -> bool:
        if not self._model or not isinstance(name, str) or not name:
            return False
        if _same(name, self._model):
            self._named = True
            return False
        self._foreign[name] += 1
        return self._named or len(self._foreign) > 1 or self._foreign[name] <= _OWN_NAME


def retry_after(header: str | None) -> float:
    """Seconds by the header of that name, which holds seconds or a date; 0 where neither can be read."""
    try:
        seconds = float(header or 0)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(str(header)).timestamp() - time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return seconds if seconds > 0 else 0.0


def complaint(body: bytes) -> str:
    """What an error's body says: the message in JSON, by any of the servers' habits, or a plain text."""
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        text = body[:1000].decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else text
    paths = (("error", "message"), ("error",), ("message",), ("detail",))
    found = next((value for path in paths if (value := _at(reply, *path)) is not None), "")
    return found if isinstance(found, str) else json.dumps(found)


def line(text: str, key: str) -> str:
    """A text from outside as one line that can be shown: escaped, of bounded length, and without the key."""
    plain = " ".join(text.split())
    return visible(plain.replace(key, "(the key)") if key else plain)[:300]


def _at(value: Any, *path: str | int) -> Any:
    """What lies there, or None. The types of huggingface_hub are dicts whose methods a reply can overwrite."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = dict.get(value, step)
        elif isinstance(step, int) and isinstance(value, list) and len(value) > step:
            value = value[step]
        else:
            return None
    return value


def _same(name: str, asked: str) -> bool:
    """Whether one name is the other but for owner and folder before it, and tag, date or revision after it."""
    short, long = sorted((each.lower().rstrip("/").rpartition("/")[-1] for each in (name, asked)), key=len)
    return long.startswith(short) and not long[len(short) :][:1].isalnum()


NO_KEY = "EMPTY"
"""Stands in for a key where there is none: without one huggingface_hub sends the user's Hub token, to any URL."""

_ROUTE = "/chat/completions"
_UNREACHABLE = ("ConnectError", "ConnectTimeout", "ProxyError")
_CONNECT = 4.0  # seconds
_BUSY = (429, 502, 503, 529)
_AGAIN = (408, 409, 425)
_TOO_LONG = ("context length", "context window", "context size", "too long")
_STOPS = {
    401: "name the variable that holds the key: --api-key-env NAME",
    402: "top the account up; the same command then goes on",
    403: "see what the key may do, or name another: --api-key-env NAME",
    404: "check --model and --base-url",
}


def chat_url(base_url: str) -> str:
    """Where requests go, by `http://host:port`, `.../v1` or the whole `.../chat/completions`.

    Raises InputError for what is no URL of a server, and for one that holds a password.
    """
    try:
        parts = urlsplit(base_url.strip())
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise InputError(f"--base-url {visible(base_url)} is no URL", fix="one is http://localhost:8000/v1")
    if "@" in parts.netloc:
        raise InputError("--base-url holds a name or a password", fix="give a key by --api-key-env NAME")
    path = parts.path.rstrip("/")
    if not path.endswith(_ROUTE):
        path = (path if path.endswith("/v1") else path + "/v1") + _ROUTE
    return urlunsplit((parts.scheme, parts.netloc.lower(), path, parts.query, ""))


def server_name(url: str) -> str:
    """A chat URL without the route, and without a query, which may hold a secret."""
    return url.partition("?")[0].removesuffix(_ROUTE)


def http_library() -> Any:
    """What huggingface_hub stands on: httpx, and httpx2 from its version 2 on."""
    from huggingface_hub.errors import HfHubHTTPError

    return import_module(HfHubHTTPError.__bases__[0].__module__)


def http_client(connections: int) -> Any:
    """A client of one's own: that of huggingface_hub has at most 100 connections, and none at all in offline mode,
    which is about the Hub and not about a server in the next room.
    """
    http = http_library()
    limits = http.Limits(max_connections=None, max_keepalive_connections=connections)
    return http.AsyncClient(limits=limits, follow_redirects=True)


async def served_models(url: str, key: str, client: Any) -> list[str]:
    """The names under which a server has models. Raises OutsideError where it doesn't say."""
    http = http_library()
    path, mark, query = url.partition("?")
    where = f"{path.removesuffix(_ROUTE)}/models{mark}{query}"
    try:
        reply = await asyncio.wait_for(client.get(where, headers={"authorization": f"Bearer {key}"}), 10)
        names = [model["id"] for model in reply.json()["data"]] if reply.status_code == 200 else None
    except (http.HTTPError, asyncio.TimeoutError) as error:
        raise OutsideError(
            f"no server at {server_name(url)}: {line(str(error), key) or type(error).__name__}",
            fix="start it, or check --base-url",
        ) from error
    except (ValueError, RecursionError, KeyError, TypeError):
        names = None
    if names is None:
        raise OutsideError(
            f"{server_name(url)} doesn't say which models it has: {reply.status_code}",
            fix=_STOPS[401] if reply.status_code in (401, 403) else "name one with --model",
        )
    return list(map(str, names))


class ChatClient:
    """Asks one server, or a provider by the Hub, for answers of one model.

    `key` is never left to huggingface_hub; `parameters` go with each request; `url` is None for a provider, `client` is
    that of `http_client()`.
    """

    def __init__(
        self,
        name: str,
        url: str | None,
        key: str,
        client: Any,
        *,
        model: str,
        timeout: float,
        parameters: Mapping[str, Any],
        replies: Replies,
    ) -> None:
        from huggingface_hub import AsyncInferenceClient

        http = http_library()
        self._name, self._url, self._key, self._http_client = name, url, key, client
        self._model, self._parameters, self._replies = model, parameters, replies
        where = {"base_url": url} if url else {"provider": name}
        self._client = AsyncInferenceClient(
            **where, api_key=key, timeout=http.Timeout(timeout, connect=min(timeout, _CONNECT))
        )
        # What its first request would set. Should that change, the client falls back on one of its own.
        self._client._async_client = client
        self._errors = (http.HTTPError, ValueError, RecursionError)

    async def ask(self, prompt: Prompt, seed: int | None) -> Answer | Skip | RequestError:
        """One request. Raises OutsideError for what no other request can mend: the key, the account, the model."""
        try:
            reply = await self._client.chat_completion(
                list(prompt.messages), model=self._model, seed=seed, **self._parameters
            )
        except self._errors as error:
            return await self._explain(error)
        return self._replies.read(reply)

    async def _explain(self, error: Exception) -> Skip | RequestError:
        response = getattr(error, "response", None)
        if response is not None:
            return await self._explain_status(response.status_code, response)
        cause = error.__cause__ if type(error).__name__ == "InferenceTimeoutError" and error.__cause__ else error
        kind = type(cause).__name__
        text = line(str(cause), self._key)
        if kind in _UNREACHABLE:
            return RequestError("unreachable", text or kind)
        if isinstance(cause, (ValueError, RecursionError)):
            if not self._url and type(cause) is ValueError:
                raise OutsideError(f"{self._name}: {text}", fix="check --provider and --model")
            return RequestError("failed", "a reply that is no JSON")
        return RequestError("failed", f"{kind}: {text}" if text else kind)

    async def _explain_status(self, status: int, response: Any) -> Skip | RequestError:
        said = f"{status} {line(complaint(response.content) or response.reason_phrase, self._key)}"
        if status in _STOPS or b"insufficient_quota" in response.content:
            fix = await self._models() if status == 404 else _STOPS.get(status, _STOPS[402])
            raise OutsideError(f"{self._name} won't answer for {self._model}: {said}", fix=fix)
        if status in _BUSY:
            return RequestError("busy", said, retry_after(response.headers.get("retry-after")))
        if 400 <= status < 500 and status not in _AGAIN:
            too_long = any(sign in said.lower() for sign in _TOO_LONG)
            return Skip("too_long" if too_long else REJECTED, said)
        return RequestError("failed", said)

    async def _models(self) -> str:
        """What mends a model that isn't there."""
        try:
            names = await served_models(self._url or "", self._key, self._http_client) if self._url else []
        except OutsideError:
            names = []
        return f"it has {listed(names)}: --model NAME" if names else _STOPS[404]


def listed(names: list[str]) -> str:
    """Some names in a line, however many there are and whatever they hold."""
    return line(", ".join(names[:10]), "") + (f" and {len(names) - 10} more" if len(names) > 10 else "")
