"""Client of one OpenAI-compatible chat server: requests over HTTP, and what becomes of the replies."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import import_module
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from ..errors import InputError, OutsideError
from ..text import one_line, visible, without_surrogates
from ..thoughts import answer_of
from ..types import Answer, Key, Prompt, Skip
from . import label_probabilities
from .decoding import Decoding
from .load_balancer import REJECTED
from .openai_replies import ZERO, error_message, error_status, parsed, refused_parameter, text_and_thought, value_at
from .retry import BUSY_STATUS, RETRIABLE_STATUS, RequestError, retry_after

NO_KEY = "EMPTY"
"""The key that is sent where there is none."""

ROUTER_URL = "https://router.huggingface.co/v1"
"""Where the Hub answers for its inference providers, which are named behind the model: `org/model:provider`."""

_ROUTE = "/chat/completions"
_VERSION = re.compile(r"/v\d\w*(?:/|\Z)")
_CONNECT_TIMEOUT = 4.0  # seconds
_TOO_LONG = ("context length", "context window", "context size", "too long")
_FATAL = {
    401: "name the variable that holds the key: --api-key-env NAME",
    402: "top the account up; the same command then goes on",
    403: "see what the key may do, or name another: --api-key-env NAME",
    404: "check --model and --base-url",
}
_FATAL_CODES = {b"insufficient_quota": _FATAL[402], b"model_not_supported": "check --model and --provider"}

_FINISH: dict[str, Literal["stop", "length"]] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "stop_sequence", "end_turn"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_length"), "length"),
}
_WITHHELD = ("content_filter", "safety", "refusal", "tool_calls", "function_call")
_REFUSING = (400, 422, 500, 501)  # statuses under which servers say that they don't take a parameter
_INSTEAD = {"max_tokens": "max_completion_tokens", ZERO: "0.01"}
"""What a server takes that refuses the first: OpenAI's own another name, MiniMax' a temperature above 0."""
_OWN_NAME = 3  # replies under one other name and none under the requested one: then it is the server's own name for it


def chat_url(base_url: str) -> str:
    """Return the URL of requests for `http://host:port`, `.../v1` or the whole `.../chat/completions`.

    A path with a version, as `/api/paas/v4` or `/v1beta/openai`, is taken as it is.

    Raises InputError for what is not the URL of a server, and for a URL that holds a password.
    """
    try:
        parts = urlsplit(base_url.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        whole = "://" in base_url or not base_url.strip() or " " in base_url.strip()
        fix = "e.g. http://localhost:8000/v1" if whole else f"add http://: --base-url http://{base_url.strip()}"
        raise InputError(f"--base-url {visible(base_url)!r} is not a URL of a server", fix=fix)
    if "@" in parts.netloc:
        raise InputError("--base-url holds a name or a password", fix="give a key by --api-key-env NAME")
    path = parts.path.rstrip("/")
    if not path.endswith(_ROUTE):
        path = (path if _VERSION.search(path) else path + "/v1") + _ROUTE
    return urlunsplit((parts.scheme, parts.netloc.lower(), path, parts.query, ""))


def server_name(url: str) -> str:
    """Return a chat URL without the route, and without the query, which may hold a secret."""
    return url.partition("?")[0].removesuffix(_ROUTE)


def http_library() -> Any:
    """Return the HTTP library of huggingface_hub: httpx, or httpx2 from its version 2 on."""
    from huggingface_hub.errors import HfHubHTTPError

    return import_module(HfHubHTTPError.__bases__[0].__module__)


def http_client(timeout: float) -> Any:
    """Return an HTTP client, an aiohttp session; `timeout` seconds hold for each part of a request.

    It trusts the certificates that the Hub's client trusts: aiohttp alone knows none on some machines.
    """
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=http_library().create_ssl_context()),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(timeout, _CONNECT_TIMEOUT), sock_read=timeout),
    )


@lru_cache(maxsize=64)
def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for a URL."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


async def send(
    client: Any, method: str, url: str, key: str, content: bytes | None = None
) -> tuple[int, Mapping[str, str], bytes, str]:
    """Return the status, headers, body and reason phrase of a response. Raises aiohttp.ClientError.

    A proxy is used where the environment names one. Redirects are not followed: prompts go to the named server alone.
    """
    import yarl

    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    where = yarl.URL(url, encoded=True)
    asked = client.request(method, where, data=content, headers=headers, proxy=_proxy(url), allow_redirects=False)
    async with asked as response:
        return response.status, response.headers, await response.read(), response.reason or ""


def redirect_error(name: str, status: int, location: str) -> OutsideError:
    """Return the error for a server that sends its requests to another address, which is not followed."""
    target = shown(server_name(location))
    return OutsideError(
        f"{name} redirects ({status}) to {target}, and prompts go only to the server that you name",
        fix="name that one with --base-url, if you trust it",
    )


def _redirect(status: int, headers: Mapping[str, str]) -> str | None:
    return headers.get("location") if status in (301, 302, 303, 307, 308) else None


async def served_models(url: str, key: str, client: Any) -> list[str]:
    """Return the names of a server's models. Raises OutsideError where the server doesn't say."""
    import aiohttp

    path, mark, query = url.partition("?")
    models_url = f"{path.removesuffix(_ROUTE)}/models{mark}{query}"
    try:
        status, headers, content, _ = await asyncio.wait_for(send(client, "GET", models_url, key), 10)
    except (aiohttp.ClientError, asyncio.TimeoutError) as error:
        raise OutsideError(
            f"no server at {server_name(url)}: {shown(str(error), key) or type(error).__name__}",
            fix="start it, or check --base-url",
        ) from error
    if location := _redirect(status, headers):
        raise redirect_error(server_name(url), status, location)
    if status == 200:
        with suppress(ValueError, RecursionError, KeyError, TypeError):
            return [str(model["id"]) for model in json.loads(content)["data"]]
    raise OutsideError(
        f"{server_name(url)} doesn't say which models it has: {status}",
        fix=_FATAL[401] if status in (401, 403) else "name one with --model",
    )


@dataclass
class ChatClient:
    """Client of one server for answers of one model.

    A reply under another model's name, as from a balancer in front of two models, is an error. Many servers have names
    of their own, though: one that stays the same while the requested one never appears is taken for that.

    Args:
        name: the server in messages.
        url: where requests go.
        key: goes to that server alone.
        http: what `http_client` returns.
        model: the model that is requested.
        decoding: its seed and its stop strings.
        parameters: are sent with each request, beside `model`, `messages` and `seed`.
        sent_as: under which names some of them are sent, None for those that are left out.
        any_model: take a reply under whatever name.
        labels: where `logprobs` are asked for, the text of an answer is the probabilities of these; see
            `label_probabilities`.
        usage: counts the tokens of all replies, under "input" and "output".
        give_logprobs: the names of the servers that have given log-probabilities.
    """

    name: str
    url: str
    key: str
    http: Any
    model: str
    decoding: Decoding
    parameters: Mapping[str, Any]
    sent_as: Mapping[str, str | None] = field(default_factory=dict)
    any_model: bool = False
    labels: Sequence[str] = ()
    usage: Counter[str] = field(default_factory=Counter)
    give_logprobs: set[str] = field(default_factory=set)
    _other_names: Counter[str] = field(default_factory=Counter)
    _named_as_requested: bool = False

    async def ask(self, prompt: Prompt, keys: Sequence[Key]) -> Sequence[Answer | Skip] | Skip | RequestError:
        """Send one request, and return what its first keys get, or why all get nothing.

        A server may give fewer answers than it is asked for.
        Raises OutsideError for what concerns all requests: the key, the account, the model; and RefusedParameterError.
        """
        import aiohttp

        body = {"model": self.model, "messages": list(prompt.messages), "stream": False}
        more = {"seed": self.decoding.seed_of(keys[0]) % 2**31} if self.decoding.temperature else {}
        more |= {"n": len(keys)} if len(keys) > 1 else {}
        for parameter, value in {**self.parameters, **more}.items():
            if name := self.sent_as.get(parameter, parameter):
                body[name] = value
        sent = json.dumps(body, ensure_ascii=False).encode()
        try:
            status, headers, content, phrase = await send(self.http, "POST", self.url, self.key, sent)
        except aiohttp.ClientError as error:
            kind, text = type(error).__name__, shown(str(error), self.key)
            if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
                return RequestError("unreachable", text or kind)
            return RequestError("failed", f"{kind}: {text}" if text else kind)
        if location := _redirect(status, headers):
            raise redirect_error(self.name, status, location)
        if status >= 300:
            wait = retry_after(headers.get("retry-after"))
            return await self._read_error(status, content, wait, body, phrase)
        try:
            reply = parsed(content)
            if status := error_status(reply):
                return await self._read_error(status, content, 0.0, body)
            answers = self._read_reply(reply)
            answer = answers if isinstance(answers, RequestError) else answers[0]
            if self.labels and "logprobs" in body and isinstance(answer, Answer) and answer.finish == "stop":
                tokens = value_at(reply, "choices", 0, "logprobs", "content")
                answer = self._with_probabilities(answer, tokens, keys[0])
                return answer if isinstance(answer, RequestError) else [answer]
            return answers
        except (ValueError, RecursionError):
            page = content.lstrip().startswith(b"<")
            return RequestError("failed", "a web page in place of a reply" if page else "a reply that is not JSON")

    async def _read_error(
        self, status: int, content: bytes, wait: float, body: Mapping[str, Any], phrase: str = ""
    ) -> Skip | RequestError:
        detail = f"{status} {shown(error_message(content) or phrase, self.key)}"
        if fix := _FATAL.get(status) or next((fix for code, fix in _FATAL_CODES.items() if code in content), None):
            if status == 404:
                fix = f"check --model and --base-url: requests go to {shown(self.url.partition('?')[0])}"
                with suppress(OutsideError):
                    names = await served_models(self.url, self.key, self.http)
                    if names and self.model not in names:
                        fix = f"it has {shown_names(names)}: --model NAME"
            raise OutsideError(f"{self.name} won't answer for {self.model}: {detail}", fix=fix)
        if status in BUSY_STATUS:
            return RequestError("busy", detail, wait)
        of_request = 400 <= status < 500 and status not in RETRIABLE_STATUS
        if of_request and any(phrase in detail.lower() for phrase in _TOO_LONG):
            return Skip("too_long", detail)
        name = refused_parameter(content, body) if status in _REFUSING else None
        if name and (of_request or name not in ("n", "stop")):  # a server that fails may tell of an "unexpected stop"
            raise RefusedParameterError(name, _INSTEAD.get(name), f"{self.name}: {detail}")
        return Skip(REJECTED, detail) if of_request else RequestError("failed", detail)

    def _read_reply(self, reply: Any) -> list[Answer | Skip] | RequestError:
        """Read a parsed body, in which any part may be missing or of another type: then it is an error.

        Of several answers, those before the first error are returned.
        """
        for kind, name in (("input", "prompt_tokens"), ("output", "completion_tokens")):
            if type(spent := value_at(reply, "usage", name)) is int and spent > 0:
                self.usage[kind] += spent
        choices = value_at(reply, "choices")
        choices = choices if isinstance(choices, list) and choices else [None]
        tokens = value_at(reply, "usage", "completion_tokens")
        tokens = max(tokens, 0) // len(choices) if type(tokens) is int else 0  # the server counts those of all answers
        read: list[Answer | Skip] = []
        for choice in choices:
            one = self._read_choice(choice, tokens)
            if isinstance(one, RequestError):
                return read or one
            read.append(one)
        if isinstance(read[0], Answer) and self._is_of_another_model(name := value_at(reply, "model")):
            return RequestError("failed", f"an answer by another model, {shown(name)}")
        return read

    def _read_choice(self, choice: Any, tokens: int) -> Answer | Skip | RequestError:
        finish = str(value_at(choice, "finish_reason")).lower()
        message = value_at(choice, "message")
        text, thought = text_and_thought(message)
        if finish in _WITHHELD:
            return Skip("refused", f"the server ended the answer by {finish}")
        if not text and (refusal := value_at(message, "refusal")):
            return Skip("refused", shown(str(refusal)))
        if text is None and finish in _FINISH and (_FINISH[finish] == "length" or thought is not None):
            text = ""  # The tokens went into the thought, which has a field of its own.
        if text is None:
            return RequestError("failed", "a reply without an answer")
        if finish not in _FINISH:
            return RequestError("failed", f"an answer that may be incomplete, finish_reason {shown(finish)}")
        text = without_surrogates(text)
        end = self.decoding.stop_at(text)  # Some servers leave the stop string in.
        answer = Answer(
            text[:end].strip(),
            _FINISH[finish] if end is None else "stop",
            tokens,
            without_surrogates(thought or "").strip(),
        )
        if not answer.thought:
            return answer
        # Some servers give the thought in the text as well.
        return replace(answer_of(answer.text, answer.finish, answer.tokens), thought=answer.thought)

    def _with_probabilities(self, answer: Answer, tokens: Any, key: Key) -> Answer | RequestError:
        """Return the answer with the probabilities of the labels as its text; one that is no label as it is.

        Raises RefusedParameterError where the server has not given any so far: it leaves the parameter unread.
        """
        if (tokens or self.name in self.give_logprobs) and not label_probabilities.label_in(answer.text, self.labels):
            return answer
        found = label_probabilities.of_tokens(tokens, answer.text, self.labels)
        if found:
            self.give_logprobs.add(self.name)
            return replace(answer, text=label_probabilities.written(found))
        if self.name in self.give_logprobs:
            return RequestError("failed", "a verdict without its log-probabilities")
        raise RefusedParameterError("logprobs", None, f"{self.name} gives none", (key, answer))

    def _is_of_another_model(self, name: Any) -> bool:
        if self.any_model or not isinstance(name, str) or not name:
            return False
        # Without owner and folder before it; a tag, date or revision may follow.
        short, long = sorted((each.lower().rstrip("/").rpartition("/")[-1] for each in (name, self.model)), key=len)
        if long.startswith(short) and not long[len(short) :][:1].isalnum():
            self._named_as_requested = True
            return False
        self._other_names[name] += 1
        return self._named_as_requested or len(self._other_names) > 1 or self._other_names[name] <= _OWN_NAME


class RefusedParameterError(Exception):
    """A server does not take a parameter.

    `instead` is the name that it takes in its place, of `ZERO` the temperature; None where there is none.
    `answer` is what it gave all the same, as it would have without the parameter.
    """

    def __init__(self, name: str, instead: str | None, detail: str, answer: tuple[Key, Answer] | None = None) -> None:
        super().__init__(detail)
        self.name, self.instead, self.answer = name, instead, answer


def shown(text: str, key: str = "") -> str:
    """Return a text from outside as one line that can be printed: escaped, of bounded length, without the key."""
    return one_line(text.replace(key, "(the key)") if key else text, 300)


def shown_names(names: list[str]) -> str:
    """Return some names as one line, however many there are and whatever they hold."""
    return shown(", ".join(names[:10])) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
