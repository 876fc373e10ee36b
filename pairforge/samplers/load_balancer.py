"""Load balancing over servers: adaptive concurrency (AIMD), retries, and giving up."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from ..errors import OutsideError
from ..types import Answer, Key, Prompt, Skip
from .retry import LONGEST_WAIT, MAX_FAILURES, MAX_REFUSALS, RequestError, backoff

REJECTED = "rejected"
"""The reason of a Skip for a request that the server understands and does not accept."""

MAX_BUSY_BURSTS, MAX_UNREACHABLE_BURSTS = 10, 3  # refused in a row, after which a server is given up
EQUAL_REJECTIONS = 5  # with the same message before any answer: then the prompts are not the cause
FAILURES_BEFORE_PAUSE = 5  # of one server in a row, after which the others get its work for a while


@dataclass(eq=False)
class Server:
    """The load of one server: `limit` concurrent requests, one more for each round trip, half after a refusal.

    (Additive increase, multiplicative decrease: Chiu and Jain 1989.) Times are those of the event loop's clock.
    """

    name: str
    ceiling: int
    limit: float = 0.0
    running: int = 0
    responded: bool = False  # to any request so far
    refused_bursts: int = 0  # in a row
    failures: int = 0  # in a row
    paused_until: float = 0.0
    reduced_at: float = 0.0

    def __post_init__(self) -> None:
        self.limit = float(self.ceiling)

    def has_room(self, now: float) -> bool:
        """Return True if it may be sent one more request."""
        return now >= self.paused_until and self.running < int(self.limit)

    @property
    def healthy(self) -> bool:
        """True if its last request succeeded."""
        return not self.refused_bursts and not self.failures

    @property
    def exhausted(self) -> bool:
        """True if it has refused all requests for some time."""
        return self.refused_bursts >= (MAX_BUSY_BURSTS if self.responded else MAX_UNREACHABLE_BURSTS)

    def record_success(self) -> None:
        """Raise the limit after a request that succeeded."""
        self.responded, self.refused_bursts, self.failures = True, 0, 0
        self.limit = min(float(self.ceiling), self.limit + 1 / self.limit)

    def record_refusal(self, started: float, now: float, wait: float) -> None:
        """Halve the limit after a refusal. Requests sent before the last cut are of the same burst and count once."""
        if started >= self.reduced_at:
            self.limit = max(1.0, self.limit / 2)
            self.reduced_at = now
            self.refused_bursts += 1
            if self.refused_bursts > 1:
                self.pause(now + backoff(self.refused_bursts - 1))
        self.pause(now + min(wait, LONGEST_WAIT))

    def pause(self, until: float) -> None:
        """Send it no request until then."""
        self.paused_until = max(self.paused_until, until)


@dataclass(eq=False)
class Request:
    """Wanted answers to a prompt, and how often they were asked for without success."""

    prompt: Prompt
    keys: Sequence[Key]
    failures: int = 0
    refusals: int = 0
    last_server: Server | None = field(default=None, repr=False)


@dataclass
class LoadBalancer:
    """Sends each request to one of the servers, with retries, until each of its answers is there or a Skip.

    Args:
        wanted: the prompts, and the keys of the answers that are asked for in one request.
        servers: may each have as many requests running as their limit allows.
        send: sends one request to a server, and returns what its first keys get, one or more, or a Skip for all.
        timeout: seconds for a whole request, however slowly its bytes come.
        put: is called with each result.
        full: while it returns True no request is started; whoever makes room calls `wake`.
    """

    wanted: Sequence[tuple[Prompt, Sequence[Key]]]
    servers: Sequence[Server]
    send: Callable[[Server, Request], Awaitable[Sequence[Answer | Skip] | Skip | RequestError]]
    timeout: float
    put: Callable[[tuple[Key, Answer | Skip]], None]
    full: Callable[[], bool]

    def __post_init__(self) -> None:
        self._unfinished = sum(len(keys) for _, keys in self.wanted)
        self._new = (Request(prompt, keys) for prompt, keys in self.wanted)
        self._retries: list[tuple[float, int, Request]] = []  # a heap by due time
        self._order = count()
        self._answered = False
        self._rejections: list[Skip] = []
        self._stopped = False
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Run until nothing is left or `stop` is called. Raises OutsideError where no request can succeed."""
        loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        self._loop = loop
        try:
            while self._unfinished and not self._stopped:
                now = loop.time()
                while pair := self._next(loop.time()):
                    tasks.add(loop.create_task(self._work(*pair, loop)))
                await self._wait(loop, now)
                for task in [task for task in tasks if task.done()]:
                    tasks.remove(task)
                    task.result()  # An error that a request has met ends the run.
        finally:
            self._stopped = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """Check again whether a request can be started. May be called from any thread."""
        if self._loop:
            with suppress(RuntimeError):  # The loop is closed: nothing is left to start.
                self._loop.call_soon_threadsafe(self._woken.set)

    def stop(self) -> None:
        """Cancel the running requests. May be called from any thread."""
        self._stopped = True
        self.wake()

    def _next(self, now: float) -> tuple[Request, Server] | None:
        """Return the next request and the server for it, if there are both."""
        free = [server for server in self.servers if server.has_room(now)]
        if not free or self.full() or self._stopped:
            return None
        due = self._retries and self._retries[0][0] <= now
        if not (request := heapq.heappop(self._retries)[-1] if due else next(self._new, None)):
            return None
        # The least busy one; the one where this request has just failed comes last.
        server = min(free, key=lambda server: (server is request.last_server, server.running / server.limit))
        server.running += 1
        return request, server

    async def _wait(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        """Wait until a request has ended, or the next time after `now`, which may have passed by this moment."""
        times = [server.paused_until for server in self.servers] + [time for time, *_ in self._retries[:1]]
        due = min((time for time in times if time > now), default=None)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._woken.wait(), due and due - loop.time())
        self._woken.clear()

    async def _work(self, request: Request, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        """Send one request after another: the next one at once, on the connection that has just become free."""
        pair: tuple[Request, Server] | None = (request, server)
        while pair:
            request, server = pair
            try:
                await self._try(request, server, loop)
            finally:
                server.running -= 1
                self._woken.set()
            pair = self._next(loop.time())

    async def _try(self, request: Request, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        started = loop.time()
        try:
            outcome = await asyncio.wait_for(self.send(server, request), self.timeout)
        except asyncio.TimeoutError:
            outcome = RequestError("failed", f"no answer within {self.timeout:g} s")
        request.last_server = server
        if isinstance(outcome, RequestError):
            self._retry(outcome, request, server, started, loop.time())
        else:
            server.record_success()
            given = self._finish(request, outcome)
            if rest := request.keys[len(given) :]:  # the server gives fewer at a time
                heapq.heappush(self._retries, (loop.time(), next(self._order), Request(request.prompt, rest)))
            self._check_rejections(given[0], server)

    def _retry(self, error: RequestError, request: Request, server: Server, started: float, now: float) -> None:
        """Try the request again later, or give it up. Raises OutsideError where all servers are exhausted."""
        if error.kind == "failed":
            request.failures += 1
            server.responded = True
            server.failures += 1
            if server.failures >= FAILURES_BEFORE_PAUSE and any(s.healthy for s in self.servers if s is not server):
                server.pause(now + backoff(server.failures - FAILURES_BEFORE_PAUSE + 1))
        else:
            request.refusals += 1
            server.responded = server.responded or error.kind == "busy"
            server.record_refusal(started, now, error.wait)
            if all(server.exhausted for server in self.servers):
                names = " and ".join(server.name for server in self.servers)
                if any(server.responded for server in self.servers):
                    raise OutsideError(
                        f"{names}: all requests were refused for some time, the last one with {error.detail}",
                        fix="run the same command later: it goes on where it stopped",
                    )
                raise OutsideError(f"no server at {names}: {error.detail}", fix="start it, or check --base-url")
        if request.failures >= MAX_FAILURES or request.refusals >= MAX_REFUSALS:
            self._finish(request, Skip("failed", f"{error.detail}, {request.failures + request.refusals} tries"))
        else:
            due = now + backoff(request.failures if error.kind == "failed" else request.refusals)
            heapq.heappush(self._retries, (due, next(self._order), request))

    def _finish(self, request: Request, outcome: Sequence[Answer | Skip] | Skip) -> Sequence[Answer | Skip]:
        """Put what the first keys of a request get, and return it: a Skip is for all."""
        given = [outcome] * len(request.keys) if isinstance(outcome, Skip) else outcome
        for key, one in zip(request.keys, given, strict=False):
            self._unfinished -= 1
            self.put((key, one))
        return given

    def _check_rejections(self, outcome: Answer | Skip, server: Server) -> None:
        """Raise OutsideError where the first requests are all rejected alike: the prompts are not the cause."""
        self._answered = self._answered or isinstance(outcome, Answer)
        if self._answered or not isinstance(outcome, Skip) or outcome.reason != REJECTED:
            return
        self._rejections.append(outcome)
        if len(self._rejections) == EQUAL_REJECTIONS and len(set(self._rejections)) == 1:
            raise OutsideError(
                f"{server.name} rejects every request: {outcome.detail}",
                fix="change or leave out the option that it names",
            )
