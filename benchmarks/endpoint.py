"""Compare the CPU time of a request by the endpoint sampler and by plain HTTP clients at the same concurrency.

    python benchmarks/endpoint.py                        # 50,000 prompts, 32 concurrent requests
    python benchmarks/endpoint.py --prompts 5000 --concurrency 512 --json

The server is a separate process that always returns the same answer. Each measurement is a separate process too, so
that its peak memory is its own. aiohttp, which the sampler uses, and httpx, which the `openai` package uses, send the
same requests through one client with one connection per concurrent request, and read the text from the JSON. They are
measured before and after the sampler, each time on a fifth of the prompts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from pairforge.samplers.decoding import Decoding
from pairforge.samplers.openai_server import EndpointSampler
from pairforge.types import Message, Prompt

_BODY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "trivial",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello there. " * 20}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": 60, "total_tokens": 80},
    }
).encode()
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY) + _BODY


class Trivial(asyncio.Protocol):
    """A server that gives the same answer to each request, as soon as the body of the request is complete."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length :]
            self.transport.write(_REPLY)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Trivial, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def questions(count: int) -> list[Prompt]:
    text = "What is the capital of the country with the number {}? Answer in one sentence."
    return [Prompt((Message(role="user", content=text.format(number)),)) for number in range(count)]


def by_sampler(url: str, count: int, concurrency: int) -> int:
    sampler = EndpointSampler("trivial", Decoding(temperature=1.0), base_url=[url], concurrency=concurrency)
    answers: dict[Any, Any] = {}
    for batch in sampler.sample(questions(count), 1, ()):
        answers |= batch
    return len(answers)


async def by_client(post: Callable[[str, dict[str, Any]], Awaitable[Any]], url: str, count: int, at_once: int) -> int:
    todo, texts = iter(questions(count)), []

    async def work() -> None:
        for prompt in todo:
            asked = {"model": "trivial", "messages": list(prompt.messages), "max_tokens": 256, "temperature": 1.0}
            reply = await post(f"{url}/v1/chat/completions", {**asked, "seed": 1})
            texts.append(reply["choices"][0]["message"]["content"])

    await asyncio.gather(*(work() for _ in range(at_once)))
    return len(texts)


async def by_httpx(url: str, count: int, concurrency: int) -> int:
    import httpx

    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx.AsyncClient(limits=limits, timeout=120) as client:

        async def post(to: str, body: dict[str, Any]) -> Any:
            return (await client.post(to, json=body)).json()

        return await by_client(post, url, count, concurrency)


async def by_aiohttp(url: str, count: int, concurrency: int) -> int:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as client:

        async def post(to: str, body: dict[str, Any]) -> Any:
            async with client.post(to, json=body) as reply:
                return await reply.json()

        return await by_client(post, url, count, concurrency)


WAYS = {
    "sampler": by_sampler,
    "aiohttp": lambda *asked: asyncio.run(by_aiohttp(*asked)),
    "httpx": lambda *asked: asyncio.run(by_httpx(*asked)),
}


def measure(what: str, url: str, count: int, concurrency: int) -> dict[str, float]:
    """Return the CPU time of a request in ms, requests per second, and the peak memory of this process in MB."""
    WAYS[what](url, concurrency, concurrency)  # imports, and opens what is kept
    cpu, start = time.process_time(), time.perf_counter()
    done = WAYS[what](url, count, concurrency)
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - start
    assert done == count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {"cpu_ms": round(cpu / count * 1e3, 3), "per_second": round(count / seconds, 1), "peak_mb": round(peak, 1)}


@contextmanager
def server() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, __file__, "--as", "server"], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.communicate()


def apart(what: str, url: str, count: int, concurrency: int) -> dict[str, float]:
    """Run `measure` in a separate process."""
    words = [sys.executable, __file__, "--as", what, url, "--prompts", str(count), "--concurrency", str(concurrency)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def compare(count: int, concurrency: int) -> dict[str, Any]:
    some = max(count // 5, concurrency)
    with server() as url:
        plan = [("httpx", some), ("aiohttp", some), ("sampler", count), ("aiohttp", some), ("httpx", some)]
        rows = [{"by": what, "prompts": n, **apart(what, url, n, concurrency)} for what, n in plan]
    mean = {what: sum(row["cpu_ms"] for row in rows if row["by"] == what) / 2 for what in ("httpx", "aiohttp")}
    sampled = next(row for row in rows if row["by"] == "sampler")
    return {
        "concurrency": concurrency,
        "rows": rows,
        "ratio": {what: round(cpu / sampled["cpu_ms"], 2) for what, cpu in mean.items()},
        "peak_mb": sampled["peak_mb"],
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {platform.system()}",
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("aiohttp", "httpx")},
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=50_000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--json", action="store_true", help="print only the JSON")
    parser.add_argument("--as", nargs="+", dest="role", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role == ["server"]:
        asyncio.run(serve())
    elif given.role:
        print(json.dumps(measure(*given.role, given.prompts, given.concurrency)))
    else:
        found = compare(given.prompts, given.concurrency)
        if not given.json:
            print(f"{'by':10} {'prompts':>8} {'CPU ms':>8} {'requests/s':>11} {'peak MB':>8}")
            for row in found["rows"]:
                print(f"{row['by']:10} {row['prompts']:8} {row['cpu_ms']:8} {row['per_second']:11} {row['peak_mb']:8}")
            print(*(f"CPU of {what} / of the sampler: {ratio}" for what, ratio in found["ratio"].items()), sep="\n")
        print(json.dumps(found))


if __name__ == "__main__":
    main()
