"""Answers from OpenAI-compatible chat servers (vLLM, SGLang, TGI, llama.cpp, Ollama, hosted ones)."""

from __future__ import annotations

import asyncio
import copy
import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from queue import SimpleQueue
from time import sleep
from typing import Any

from ..errors import InputError, OutsideError
from ..types import Answer, Key, Prompt, Sampler, Skip
from .chat_template import not_in_utf8
from .decoding import Decoding
from .load_balancer import LoadBalancer, Request, Server
from .openai_client import (
    NO_KEY,
    ROUTER_URL,
    ChatClient,
    RefusedParameterError,
    chat_url,
    http_client,
    served_models,
    server_name,
    shown_names,
)
from .openai_replies import ZERO
from .retry import RequestError

_WITHOUT = {
    "seed": "samples can't be drawn again the same way",
    "temperature": "answers are drawn at the server's own temperature",
    "stop": "answers are cut at it here",
    "logprobs": "a verdict is the one that is written, not the expected one",
    "response_format": "a verdict is read out of what is written",
    "n": "each answer is asked for by a request of its own",
}
"""What it means that a parameter is left out; of others, the server's own value holds."""
_TOP_LOGPROBS = 20
"""The most that OpenAI's own API gives, and vLLM where it is not told otherwise."""
_NAME, _NAMED = re.compile(r"\w[\w.:-]*"), "e.g. --served-as qwen-7b"
_COLLECT = 0.01  # seconds; answers that come within them are stored together


class EndpointSampler(Sampler):
    """Samples one model on one or more servers, which share the work, or at an inference provider of the Hub.

    A failed request is retried, and ends in an Answer or a Skip: "failed" after all retries, "rejected" or "too_long"
    where the server does not accept the prompt, "refused" where it withholds the answer. Errors that concern all
    requests (the key, the account, the model, no server) raise OutsideError. Greedy at temperature 0; else each sample
    has its own seed, which most servers follow as far as their batches allow.

    A parameter that a server refuses is left out from then on, renamed, or where it is a temperature of 0, sent as
    0.01, and `settings` say so: `sample` ends, and is to be called again with what is done under these settings.

    With `labels` an answer is how probable each of them is, where the server says so (`logprobs`); else the text. With
    a `schema` the text is JSON of this schema, where the server can see to it (`response_format`).

    Raises InputError for options that don't go together.

    Args:
        model: the name of the model; None for the server's only one.
        decoding: its `top_k` and `min_p` are sent only where not the default, so that the server's own hold.
        base_url: the servers. An answer is stored under the first one; the others are replicas.
        provider: an inference provider of the Hub, or "auto", instead of servers.
        api_key: goes to these servers alone; for a provider it is a Hub token, by default that of `hf auth login`.
        concurrency: the most running requests of one server, which has fewer while it refuses some.
        timeout: seconds of one request.
        price: of a million tokens, input and output.
        chat_template_kwargs: arguments of the chat template.
        one_request: ask for all answers to a prompt in one request, so that the prompt is read, and paid for, once.
        served_as: what the answers are stored under in place of the first server's URL; those under the URL are found.
    """

    def __init__(
        self,
        model: str | None,
        decoding: Decoding,
        *,
        base_url: str | Sequence[str] = (),
        provider: str | None = None,
        api_key: str | None = None,
        concurrency: int = 32,
        timeout: float = 120.0,
        price: tuple[float, float] | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        served_as: str | None = None,
        one_request: bool = False,
    ) -> None:
        given = [base_url] if isinstance(base_url, str) else base_url
        urls = list(dict.fromkeys(map(chat_url, given)))
        self._api_key = (api_key or "").strip()
        valid_key = self._api_key.isascii() and self._api_key.isprintable() and " " not in self._api_key
        requirements = {
            "give either --base-url or --provider": (bool(urls) != bool(provider), "leave one of them out"),
            "--provider needs --model": (bool(model or urls), f"add -m ORG/MODEL: --provider {provider} -m ORG/MODEL"),
            f"--concurrency {concurrency} must be 1 or more": (concurrency >= 1, "e.g. --concurrency 32"),
            f"--timeout {timeout} must be more than 0": (0 < timeout < float("inf"), "e.g. --timeout 120"),
            "--served-as is a name, not a URL": (served_as is None or bool(_NAME.fullmatch(served_as)), _NAMED),
            "--served-as needs a server": (served_as is None or bool(urls), "add --base-url URL, or leave it out"),
            "the API key may only hold ASCII characters and no spaces": (valid_key, "copy the key again"),
        }
        for message, (met, fix) in requirements.items():
            if not met:
                raise InputError(message, fix=fix)
        self.decoding = decoding
        self.provider = provider
        self.served_as, self.one_request = served_as, one_request
        self.chat_template_kwargs = dict(chat_template_kwargs or {})
        self.warnings: list[str] = []
        self.labels: tuple[str, ...] = ()
        self.schema: Mapping[str, Any] = {}
        self._warned_of: set[str] = set()
        # What the samplers made of this one share: the parameters that a server has refused, and their new names; the
        # servers that give log-probabilities; what one that gives none has answered; the tokens of all replies.
        self.sent_as: dict[str, str | None] = {}
        self._give_logprobs: set[str] = set()
        self._answered: dict[Key, Answer] = {}
        self.usage = Counter[str]()
        self._timeout, self._price = timeout, price
        self._balancer: LoadBalancer | None = None
        self._stopped = False
        self._given_model = model
        # Kept from one call to the next, with the load that each can take.
        self._servers = {Server(server_name(url), concurrency): url for url in urls}
        if provider:
            self._servers = {Server(provider, concurrency): chat_url(ROUTER_URL)}

    @cached_property
    def model(self) -> str:  # type: ignore[override] # A server may have to be asked for it.
        """The name given, else that of the server's only model."""
        if self._given_model:
            return self._given_model

        async def served() -> list[str]:
            async with http_client(self._timeout) as client:
                *others, last = self._servers.values()
                for url in others:
                    with suppress(OutsideError):
                        return await served_models(url, self._key(), client)
                return await served_models(last, self._key(), client)

        with ThreadPoolExecutor(1) as thread:  # In a notebook this thread has a running event loop.
            names = thread.submit(asyncio.run, served()).result()
        if len(names) == 1:
            return names[0]
        has = f"has several models: {shown_names(names)}" if names else "has no model"
        raise InputError(f"{next(iter(self._servers)).name} {has}", fix="name one with --model")

    @property
    def cost(self) -> float | None:
        """What the tokens of all replies cost, also of those that were no answer."""
        tokens = self.usage["input"], self.usage["output"]
        return self._price and sum(one * price for one, price in zip(tokens, self._price, strict=True)) / 1e6

    def settings(self) -> dict[str, Any]:
        """Return the key of the store. Servers after the first are replicas: no answer depends on which one gave it."""
        more: dict[str, Any] = {"chat_template_kwargs": self.chat_template_kwargs} if self.chat_template_kwargs else {}
        said = {*self._parameters(), "seed" if self.decoding.temperature else ZERO}
        if self.one_request:  # all answers have the seed of the first one
            more["one_request"], said = True, {*said, "n"}
        more |= {name: value for name, value in (("labels", list(self.labels)), ("schema", self.schema)) if value}
        if sent_as := {name: new for name, new in self.sent_as.items() if name in said}:
            more["sent_as"] = sent_as
        where = {"sampler": "endpoint", "server": self.served_as or self._first_server, "model": self.model}
        return {**where, **self.decoding.settings(), **more}

    def same_settings(self) -> list[dict[str, Any]]:
        """Return the key of the first server's URL, where another name takes its place."""
        return [{**self.settings(), "server": self._first_server}] if self.served_as else []

    @property
    def _first_server(self) -> str:
        return next(iter(self._servers)).name

    def with_decoding(self, **changes: Any) -> EndpointSampler:
        """Return a sampler of the same model on the same servers, with another decoding."""
        self.model  # noqa: B018 - so that a server is asked for its only model once
        other = copy.copy(self)
        other.decoding = replace(self.decoding, **changes)
        return other

    def with_labels(self, labels: Sequence[str]) -> EndpointSampler:
        """Return a sampler of the same model whose answers are the probabilities of these labels."""
        other = self.with_decoding()
        other.labels = tuple(labels)
        return other

    def with_schema(self, schema: Mapping[str, Any]) -> EndpointSampler:
        """Return a sampler of the same model whose answers are JSON of this schema."""
        other = self.with_decoding()
        other.schema = schema
        return other

    def sample(
        self, prompts: Sequence[Prompt], n: int, done: Container[Key], first: int = 0
    ) -> Iterator[Mapping[Key, Answer | Skip]]:
        """Yield what has come since the last time, in any order; end early where a server refuses a parameter."""
        self._stopped = False
        wanted: list[tuple[Prompt, Key]] = []
        skips: dict[Key, Skip] = {}
        for prompt in prompts:
            keys = [key for key in ((prompt.id, index) for index in range(first, n)) if key not in done]
            if problem := not_in_utf8(prompt.messages):
                skips |= dict.fromkeys(keys, problem)
            else:
                wanted += [(prompt, key) for key in keys]
        if early := {key: self._answered.pop(key) for _, key in wanted if key in self._answered}:
            wanted = [one for one in wanted if one[1] not in early]
        if skips or early:
            yield {**skips, **early}
        if self.labels and wanted and "logprobs" not in self.sent_as and not self._give_logprobs:
            refused = len(self.sent_as)
            yield from self._sample(wanted[:1])  # one answer shows whether it gives them
            if len(self.sent_as) > refused:
                return
            wanted = wanted[1:]
        if wanted:
            yield from self._sample(wanted)

    def stop(self) -> None:
        """Ask nothing more: `sample` yields what has come so far, and ends. May be called again."""
        self._stopped = True
        if self._balancer:
            self._balancer.stop()

    def _sample(self, wanted: Sequence[tuple[Prompt, Key]]) -> Iterator[Mapping[Key, Answer | Skip]]:
        """Run the requests in a thread: they go on while answers are stored, and where an event loop is running."""
        if self._stopped:
            return
        results: SimpleQueue[tuple[Key, Answer | Skip] | None] = SimpleQueue()
        model, key, parameters = self.model, self._key(), self._parameters()
        clients: dict[Server, ChatClient] = {}
        together = groupby(wanted, lambda one: one[0].id if self.one_request else one[1])
        requests = [(same[0][0], [name for _, name in same]) for same in (list(group) for _, group in together)]

        async def send(server: Server, request: Request) -> Sequence[Answer | Skip] | Skip | RequestError:
            return await clients[server].ask(request.prompt, request.keys)

        async def run() -> None:
            async with http_client(self._timeout) as http:
                for server, url in self._servers.items():
                    name = f"{model}:{self.provider}" if self.provider not in (None, "auto") else model
                    # A provider has names of its own for the Hub's models.
                    how = self.decoding, parameters, dict(self.sent_as), bool(self.provider)
                    shared = self.labels, self.usage, self._give_logprobs
                    clients[server] = ChatClient(server.name, url, key, http, name, *how, *shared)
                await balancer.run()

        servers = list(self._servers)
        most = sum(server.ceiling for server in servers)
        # Where answers are taken slowly, only a few more of them are requested.
        balancer = LoadBalancer(
            requests, servers, send, self._timeout, results.put, lambda: results.qsize() >= 4 * most
        )
        self._balancer = balancer
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(asyncio.run, run())
            running.add_done_callback(lambda _: results.put(None))
            try:
                while not running.done() or not results.empty():
                    batch = [results.get()]
                    sleep(_COLLECT)
                    while not results.empty():
                        batch.append(results.get())
                    balancer.wake()
                    if found := dict(filter(None, batch)):
                        yield found
            finally:
                balancer.stop()
        if any(server.responded for server in servers):
            silent = {server.name for server in servers if not server.responded and server.refused_bursts}
            self.warnings += [
                f"{name} could not be reached: the other servers did its work"
                for name in sorted(silent - self._warned_of)
            ]
            self._warned_of |= silent
        try:
            running.result()
        except RefusedParameterError as refused:
            self._leave_out(refused)

    def _leave_out(self, refused: RefusedParameterError) -> None:
        self.sent_as[refused.name] = refused.instead
        self._answered |= dict(filter(None, [refused.answer]))
        if "logprobs" in refused.name:
            self.sent_as |= {"logprobs": None, "top_logprobs": None}
        without = f"left out: {_WITHOUT.get(refused.name, 'the value of the server holds')}"
        how = f"sent as `{refused.instead}`" if refused.instead else without
        self.warnings.append(f"`{refused.name}` is {how} ({refused})")

    def _parameters(self) -> dict[str, Any]:
        """Return what each request says of the decoding, by OpenAI's names and those that most other servers share."""
        decoding = self.decoding
        temperature = float(decoding.temperature or self.sent_as.get(ZERO) or 0)
        sent: dict[str, Any] = {"max_tokens": decoding.max_new_tokens, "temperature": temperature}
        if decoding.stop:
            sent["stop"] = list(decoding.stop)
        if decoding.temperature:
            sent["top_p"] = decoding.top_p
            sent |= {name: getattr(decoding, name) for name in ("top_k", "min_p") if getattr(decoding, name)}
        if self.chat_template_kwargs:
            sent["chat_template_kwargs"] = self.chat_template_kwargs
        if self.labels:
            sent |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
        if self.schema:
            form = {"name": "verdict", "strict": True, "schema": self.schema}
            sent["response_format"] = {"type": "json_schema", "json_schema": form}
        return sent

    def _key(self) -> str:
        if not self.provider:
            return self._api_key or NO_KEY
        from huggingface_hub import get_token, is_offline_mode

        if is_offline_mode():
            raise OutsideError("--provider goes through the Hub, and HF_HUB_OFFLINE is set", fix="unset it")
        if self._api_key and not self._api_key.startswith("hf_"):
            raise InputError(
                "--provider needs a Hub token (hf_...), and the key of --api-key-env is not one",
                fix="for a provider's own key give the provider's --base-url",
            )
        token: str | None = self._api_key or get_token()
        if not token or not token.startswith("hf_"):
            raise OutsideError(f"no Hub token for --provider {self.provider}", fix="`hf auth login`")
        return token
