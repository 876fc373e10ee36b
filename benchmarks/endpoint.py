"""Compare requests per second of the endpoint sampler and of plain `httpx.AsyncClient` at the same concurrency.

    python benchmarks/endpoint.py                        # 50,000 prompts, 32 concurrent requests
    python benchmarks/endpoint.py --prompts 5000 --json

The server is a separate process that always returns the same answer. Each measurement is a separate process too, so
that its peak memory is its own. httpx sends the same requests through one client with one connection per concurrent
request, and reads the text from the JSON. It is measured before and after the sampler, each time on a fifth of the
prompts. The HTTP library that huggingface_hub uses is measured in the same way, if it is not httpx itself.
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
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any

from pairforge.samplers.decoding import Decoding
from pairforge.samplers.openai_client import http_library
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


async def by_client(library: str, url: str, count: int, concurrency: int) -> int:
    http = import_module(library)
    limits = http.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    todo, texts = iter(questions(count)), []

    async def work(client: Any) -> None:
        for prompt in todo:
            body = {
                "model": "trivial",
                "messages": list(prompt.messages),
                "max_tokens": 256,
                "temperature": 1.0,
                "seed": 1,
            }
            reply = await client.post(f"{url}/v1/chat/completions", json=body)
            texts.append(reply.json()["choices"][0]["message"]["content"])

    async with http.AsyncClient(limits=limits, timeout=120) as client:
        await asyncio.gather(*(work(client) for _ in range(concurrency)))
    return len(texts)


def measure(what: str, url: str, count: int, concurrency: int) -> dict[str, float]:
    """Return requests per second, and the peak memory of this process in MB."""
    http_library() if what == "sampler" else import_module(what)
    start = time.perf_counter()
    if what == "sampler":
        done = by_sampler(url, count, concurrency)
    else:
        done = asyncio.run(by_client(what, url, count, concurrency))
    seconds = time.perf_counter() - start
    assert done == count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {"per_second": round(count / seconds, 1), "seconds": round(seconds, 2), "peak_mb": round(peak, 1)}


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
    library = http_library().__name__
    some = max(count // 5, concurrency)
    with server() as url:
        plan = [("httpx", some), (library, some), ("sampler", count), (library, some), ("httpx", some)]
        rows = [{"by": what, "prompts": n, **apart(what, url, n, concurrency)} for what, n in plan]
    mean = {what: sum(row["per_second"] for row in rows if row["by"] == what) / 2 for what in ("httpx", library)}
    sampled = next(row for row in rows if row["by"] == "sampler")
    return {
        "concurrency": concurrency,
        "rows": rows,
        "ratio": {what: round(sampled["per_second"] / speed, 2) for what, speed in mean.items()},
        "peak_mb": sampled["peak_mb"],
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {platform.system()}",
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in dict.fromkeys(("huggingface_hub", "httpx", library))},
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
            print(f"{'by':10} {'prompts':>8} {'requests/s':>11} {'seconds':>8} {'peak MB':>8}")
            for row in found["rows"]:
                print(f"{row['by']:10} {row['prompts']:8} {row['per_second']:11} {row['seconds']:8} {row['peak_mb']:8}")
            print(*(f"sampler / {what}: {ratio}" for what, ratio in found["ratio"].items()), sep="\n")
        print(json.dumps(found))


if __name__ == "__main__":
    main()
