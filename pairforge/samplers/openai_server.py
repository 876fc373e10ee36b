"""Answers from chat servers: any that speaks as OpenAI's does (vLLM, SGLang, TGI, llama.cpp, Ollama, hosted ones)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from queue import SimpleQueue
from time import sleep
from typing import Any, TypeVar

from ..errors import InputError, OutsideError
from ..text import lone_surrogate
from ..types import Answer, Key, Prompt, Skip
from .decoding import Decoding
from .load_balancer import LoadBalancer, Request, Server
from .openai_client import NO_KEY, ChatClient, Replies, chat_url, http_client, listed, served_models, server_name
from .retry import RequestError

_GATHER = 0.01  # seconds; what comes within them is stored together

T = TypeVar("T")
Result = tuple[Key, "Answer | Skip"]


class EndpointSampler:
    """Samples one model on one or more servers (`base_url`), which share the work, or at a provider of the Hub.

    A server is asked `concurrency` requests at once at most, and fewer while it pushes back. A request gets `timeout`
    seconds, is tried again for what another try may mend, and ends in an Answer or a Skip: "failed" after that,
    "rejected" or "too_long" where the server won't have the prompt, "refused" where it withholds the answer. What
    concerns all requests (the key, the account, the model, no server) is an OutsideError.

    `api_key` goes to these servers alone, and the Hub token to a provider alone. Greedy at temperature 0; else each
    sample carries a seed of its own, which most servers follow as far as their batches allow. A number that
    `decoding` leaves at its default (top_k, min_p) is not sent, so that the server's own holds.

    Raises InputError for options that don't fit together.
    """

    def __init__(
        self,
        model: str | None,
        decoding: Decoding,
        *,
        base_url: Sequence[str] = (),
        provider: str | None = None,
        api_key: str | None = None,
        concurrency: int = 32,
        timeout: float = 120.0,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        given = [base_url] if isinstance(base_url, str) else base_url
        urls = list(dict.fromkeys(map(chat_url, given)))
        _check(bool(urls) != bool(provider), "--base-url or --provider names the server, and one of them alone")
        _check(bool(model or urls), "--provider needs --model")
        _check(concurrency >= 1 and 0 < timeout < float("inf"), "--concurrency and --timeout must be above 0")
        self._api_key = (api_key or "").strip()
        sound = self._api_key.isascii() and self._api_key.isprintable() and " " not in self._api_key
        _check(sound, "the API key holds a blank, or a sign beyond ASCII")
        self.decoding = decoding
        self.provider = provider
        self.chat_template_kwargs = dict(chat_template_kwargs or {})
        self.warnings: list[str] = []
        self._told: set[str] = set()
        self._timeout = timeout
        self._named = model
        # They are kept from one call to the next, with what they were found to bear.
        self._urls: list[str | None] = [*urls] or [None]
        self._servers = [Server(server_name(url) if url else str(provider), concurrency) for url in self._urls]

    @cached_property
    def model(self) -> str:
        """The name given, else that of the only model that the server has."""
        if self._named:
            return self._named
        names = _in_thread(self._served())
        if len(names) == 1:
            return names[0]
        has = f"has several models: {listed(names)}" if names else "has no model"
        raise InputError(f"{self._servers[0].name} {has}", fix="name one with --model")

    def settings(self) -> dict[str, Any]:
        """Key of the store. Servers after the first are replicas: no answer depends on which of them gave it."""
        more = {"chat_template_kwargs": self.chat_template_kwargs} if self.chat_template_kwargs else {}
        where = {"sampler": "endpoint", "server": self._servers[0].name, "model": self.model}
        return {**where, **self.decoding.settings(), **more}

    def sample(self, prompts: Sequence[Prompt], n: int, done: Container[Key]) -> Iterator[Mapping[Key, Answer | Skip]]:
        """Yields what has come since the last time, in whatever order it comes."""
        wanted = [
            (prompt, (name, index))
            for prompt, name in ((prompt, prompt.id) for prompt in prompts)
            for index in range(n)
            if (name, index) not in done
        ]
        broken = {key: skip for prompt, key in wanted if (skip := _unwritable(prompt))}
        if broken:
            yield broken
        if sound := [(prompt, key) for prompt, key in wanted if key not in broken]:
            yield from self._sample(sound)

    def _sample(self, wanted: Sequence[tuple[Prompt, Key]]) -> Iterator[Mapping[Key, Answer | Skip]]:
        """The requests run in a thread of their own: they go on while answers are stored, and in a notebook too, whose
        own thread has a running loop.
        """
        results: SimpleQueue[Result | None] = SimpleQueue()
        model, key = self.model, self._key()
        chats: dict[Server, ChatClient] = {}

        async def ask(server: Server, request: Request) -> Answer | Skip | RequestError:
            seed = self.decoding.seed_of(request.key) % 2**31 if self.decoding.temperature else None
            return await chats[server].ask(request.prompt, seed)

        async def run() -> None:
            async with http_client(ceiling) as client:
                chats.update(self._chats(model, key, client))
                await traffic.run()

        ceiling = sum(server.ceiling for server in self._servers)
        # Whoever takes answers slowly has no more of them made than a few.
        traffic = LoadBalancer(
            wanted, self._servers, ask, self._timeout, results.put, lambda: results.qsize() >= 4 * ceiling
        )
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(asyncio.run, run())
            running.add_done_callback(lambda _: results.put(None))
            try:
                yield from _batches(results, traffic.wake)
            finally:
                traffic.stop()
        self._warn()
        running.result()

    def _chats(self, model: str, key: str, client: Any) -> dict[Server, ChatClient]:
        return {
            server: ChatClient(
                server.name,
                url,
                key,
                client,
                model=model,
                timeout=self._timeout,
                parameters=self._parameters(),
                # A provider has names of its own for the Hub's models.
                replies=Replies(model if url else None, self.decoding.stop),
            )
            for server, url in zip(self._servers, self._urls, strict=True)
        }

    def _parameters(self) -> dict[str, Any]:
        """What each request says of the decoding: by OpenAI's names, and by those that most other servers share."""
        decoding = self.decoding
        plain: dict[str, Any] = {"max_tokens": decoding.max_new_tokens, "temperature": float(decoding.temperature)}
        plain |= {"stop": list(decoding.stop)} if decoding.stop else {}
        extra = {"chat_template_kwargs": self.chat_template_kwargs} if self.chat_template_kwargs else {}
        if decoding.temperature:
            plain["top_p"] = decoding.top_p
            extra |= {name: getattr(decoding, name) for name in ("top_k", "min_p") if getattr(decoding, name)}
        return {**plain, "extra_body": extra or None}

    def _key(self) -> str:
        if not self.provider:
            return self._api_key or NO_KEY
        from huggingface_hub import get_token, is_offline_mode

        if is_offline_mode():
            raise OutsideError("--provider goes by the Hub, and HF_HUB_OFFLINE is set", fix="unset it")
        if self._api_key:
            return self._api_key
        token: str | None = get_token()
        # Only a token of that look goes by the Hub; huggingface_hub sends any other straight to the provider.
        if not token or not token.startswith("hf_"):
            raise OutsideError(f"no Hub token for --provider {self.provider}", fix="`hf auth login`")
        return token

    async def _served(self) -> list[str]:
        async with http_client(1) as client:
            *others, last = filter(None, self._urls)
            for url in others:
                with suppress(OutsideError):
                    return await served_models(url, self._key(), client)
            return await served_models(last, self._key(), client)

    def _warn(self) -> None:
        """Says once of a replica that it was of no use."""
        if any(server.spoke for server in self._servers):
            silent = {server.name for server in self._servers if not server.spoke and server.refused} - self._told
            self._told |= silent
            self.warnings += [f"{name} could not be reached: the other servers did its work" for name in sorted(silent)]


def _batches(results: SimpleQueue[Result | None], wake: Callable[[], None]) -> Iterator[Mapping[Key, Answer | Skip]]:
    """All that is there, each time; until None."""
    batch: list[Result | None] = []
    while None not in batch[-1:]:
        batch = [results.get()]
        sleep(_GATHER)
        while not results.empty():
            batch.append(results.get())
        wake()
        if found := dict(filter(None, batch)):
            yield found


def _in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end, from a thread with a running loop too."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _unwritable(prompt: Prompt) -> Skip | None:
    """Why a prompt can't be sent, if so."""
    text = "".join(message["content"] for message in prompt.messages)
    lone = lone_surrogate(text)
    return Skip("encoding", f"the prompt holds a lone surrogate, U+{ord(lone):04X}") if lone else None


def _check(fine: bool, message: str) -> None:
    if not fine:
        raise InputError(message, fix="see --help")
