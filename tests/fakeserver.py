"""An OpenAI-compatible chat server on 127.0.0.1 that does as it is told, request by request.

    with FakeServer(lambda ask: 503 if ask.tries == 1 else None) as server:
        server.url                   # http://127.0.0.1:PORT
        server.seen                  # what it was asked: method, path, headers, body

The script is given an `Ask` and says what becomes of it:

    None                             the answer that is meant for this request, `meant(body)`
    429, (429, {"Retry-After": "1"}), (400, {}, "too long")
                                     an error of that status, with these headers, with this message (or error object)
    {"model": "other"}               the answer's JSON with these fields instead
    b"<html>..."                     these bytes as the body, under a 200
    "hang" "drip" "half" "reset" "close"
                                     nothing ever; a byte at a time for ever; half of the JSON; a reset within the body;
                                     a connection that closes without a word
    an awaitable                     waits for it, then the answer
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """One request: its body, how often this very one has come (from 1), and how many are under way with it."""

    body: Body
    tries: int
    running: int

    @property
    def question(self) -> str:
        return str(self.body["messages"][-1]["content"])


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Body


def meant(body: Body, number: int = 0) -> str:
    """The answer to a request: no two requests have the same one. Of n answers, the first is as where n is 1."""
    more = f", number {number}" if number else ""
    return f"answer to {body['messages'][-1]['content']} by seed {body.get('seed')}{more}"


def completion(body: Body) -> Body:
    messages = [{"role": "assistant", "content": meant(body, number)} for number in range(body.get("n", 1))]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": body["model"],
        "choices": [{"index": at, "message": one, "finish_reason": "stop"} for at, one in enumerate(messages)],
        "usage": {"prompt_tokens": 3, "completion_tokens": 7 * len(messages), "total_tokens": 3 + 7 * len(messages)},
    }


class FakeServer:
    """The server, in a thread of its own. `peak` is the most requests that were under way at once."""

    def __init__(self, script: Callable[[Ask], Any] = lambda ask: None, models: Any = ("fake",)) -> None:
        self.script, self.models = script, models
        self.seen: list[Seen] = []
        self.tries: Counter[str] = Counter()
        self.running = self.peak = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> FakeServer:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def call(self, function: Callable[[], object]) -> None:
        """In the server's own thread, where its awaitables live."""
        self._loop.call_soon_threadsafe(function)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._talks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._talks.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await self._reply(await self._read(reader), reader, writer):
                    await writer.drain()
        finally:
            self._talks.discard(task)
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> Seen:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.seen.append(Seen(method, path, headers, json.loads(body or b"{}")))
        return self.seen[-1]

    async def _reply(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        if seen.method == "GET":
            _send(writer, 200, json.dumps({"data": [{"id": name} for name in self.models]}).encode())
            return True
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            return await self._do(seen.body, reader, writer)
        finally:
            self.running -= 1

    async def _do(self, body: Body, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        name = json.dumps([body["messages"], body.get("seed")])
        self.tries[name] += 1
        what = self.script(Ask(body, self.tries[name], self.running))
        if isinstance(what, Awaitable):
            await what
            what = None
        if isinstance(what, int):
            what = (what,)
        good = json.dumps(completion(body)).encode()
        if what is None:
            _send(writer, 200, good)
        elif isinstance(what, dict):
            _send(writer, 200, json.dumps(completion(body) | what).encode())
        elif isinstance(what, bytes):
            _send(writer, 200, what, {"Content-Type": "text/html"})
        elif isinstance(what, tuple):
            status, headers, message = (*what, *({}, "told to fail")[len(what) - 1 :])
            error = message if isinstance(message, dict) else {"message": message}
            _send(writer, status, json.dumps({"error": error}).encode(), headers)
        else:
            return await self._misbehave(what, good, reader, writer)
        return True

    async def _misbehave(
        self, what: str, good: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if what == "hang":
            while not reader.at_eof() and not writer.is_closing():
                await asyncio.sleep(0.01)
        elif what == "drip":
            _send(writer, 200, b"", {"Content-Length": "100000"})
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        elif what == "half":
            _send(writer, 200, good[: len(good) // 2])
            return True
        elif what == "reset":
            _send(writer, 200, good[: len(good) // 2], {"Content-Length": str(len(good))})
            await writer.drain()
            linger = struct.pack("ii", 1, 0)  # Closes with RST, not with FIN.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif what != "close":
            raise ValueError(what)
        return False


def _send(writer: asyncio.StreamWriter, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    head = f"HTTP/1.1 {status} Told\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(head.encode() + b"\r\n" + body)
