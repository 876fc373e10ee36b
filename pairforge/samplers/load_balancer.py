"""Which request goes to which server, and when: as many at once as each server bears, found out by asking."""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import cast

from ..errors import OutsideError
from ..types import Answer, Key, Prompt, Skip
from .retry import LONGEST, RequestError, backoff


@dataclass(eq=False)
class Server:
    """What one server bears: `limit` requests at once, one more for each round trip, half when it pushes back.

    (Additive increase, multiplicative decrease: Chiu and Jain 1989.) Times are of the event loop's clock.
    """

    name: str
    ceiling: int
    limit: float = 0.0
    running: int = 0
    spoke: bool = False
    refused: int = 0  # bursts in a row
    failed: int = 0  # requests in a row
    rests_until: float = 0.0
    cut_at: float = 0.0

    def __post_init__(self) -> None:
        self.limit = float(self.ceiling)

    def has_room(self, now: float) -> bool:
        """Whether it may be asked one more."""
        return now >= self.rests_until and self.running < int(self.limit)

    @property
    def well(self) -> bool:
        """Whether the last that it was asked was done."""
        return not self.refused and not self.failed

    @property
    def gone(self) -> bool:
        """Whether it has refused all it was asked, for some while."""
        return self.refused >= (BUSY if self.spoke else UNREACHED)

    def answer(self) -> None:
        """It did what it was asked."""
        self.spoke, self.refused, self.failed = True, 0, 0
        self.limit = min(float(self.ceiling), self.limit + 1 / self.limit)

    def refuse(self, started: float, now: float, wait: float) -> None:
        """It takes no more. What was sent before the last cut tells nothing new: a burst counts once."""
        if started >= self.cut_at:
            self.limit = max(1.0, self.limit / 2)
            self.cut_at = now
            self.refused += 1
            if self.refused > 1:
                self.rest(now + backoff(self.refused - 1))
        self.rest(now + min(wait, LONGEST))

    def rest(self, until: float) -> None:
        """It is left alone for a while."""
        self.rests_until = max(self.rests_until, until)


BUSY, UNREACHED = 10, 3  # bursts refused in a row after which a server is given up: one that ever spoke, or never

REJECTED = "rejected"
"""The reason of a Skip for a request that the server understands and won't have."""

TRIES = 6  # of one request, that fail by themselves
REFUSALS = 20  # of one request, by servers that are busy or can't be reached
ALIKE = 5  # requests rejected in the same words before any is answered: then it's not for their prompts
STREAK = 5  # failures in a row after which others do a server's work for a while


@dataclass(eq=False)
class Request:
    """One answer that is wanted, and how often it was tried in vain."""

    prompt: Prompt
    key: Key
    failures: int = 0
    refusals: int = 0
    last: Server | None = field(default=None, repr=False)


Ask = Callable[[Server, Request], Awaitable[Answer | Skip | RequestError]]


class LoadBalancer:
    """Puts each request to one of the servers, again where need be, until it ends in an Answer or a Skip for `put`.

    No more are under way at once than the servers bear, and none is begun while `full()`: who makes room calls `wake`.
    """

    def __init__(
        self,
        wanted: Sequence[tuple[Prompt, Key]],
        servers: Sequence[Server],
        ask: Ask,
        timeout: float,
        put: Callable[[tuple[Key, Answer | Skip]], None],
        full: Callable[[], bool],
    ) -> None:
        self._servers, self._ask, self._timeout, self._put, self._full = servers, ask, timeout, put, full
        self._left = len(wanted)
        self._fresh = (Request(prompt, key) for prompt, key in wanted)
        self._later: list[tuple[float, int, Request]] = []
        self._order = count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._answered = False
        self._rejected: list[Skip] = []
        self._error: BaseException | None = None
        self._stopped = False
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Until nothing is left or `stop` is called. Raises OutsideError where going on is of no use."""
        loop = self._loop = asyncio.get_running_loop()
        try:
            while self._left and not self._stopped and not self._error:
                now = loop.time()
                self._begin_all(loop)
                await self._pause(loop, now)
        finally:
            self._stopped = True
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._error:
            raise self._error

    def wake(self) -> None:
        """From any thread: look again."""
        if self._loop:
            with suppress(RuntimeError):  # The loop is closed: nothing is left to look for.
                self._loop.call_soon_threadsafe(self._woken.set)

    def stop(self) -> None:
        """From any thread: give up what is under way."""
        self._stopped = True
        self.wake()

    def _begin_all(self, loop: asyncio.AbstractEventLoop) -> None:
        while pair := self._pick(loop.time()):
            task = loop.create_task(self._work(*pair, loop))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _pick(self, now: float) -> tuple[Request, Server] | None:
        """The next request and the server for it, if there are both."""
        free = [server for server in self._servers if server.has_room(now)]
        if not free or self._full() or self._stopped or self._error:
            return None
        if not (request := self._next(now)):
            return None
        # The least busy one; where a request has just failed comes last.
        server = min(free, key=lambda server: (server is request.last, server.running / server.limit))
        server.running += 1
        return request, server

    def _next(self, now: float) -> Request | None:
        if self._later and self._later[0][0] <= now:
            return heapq.heappop(self._later)[-1]
        return next(self._fresh, None)

    async def _pause(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        """Until a request has ended, or a time after `now` has come; it may have by this moment."""
        times = [server.rests_until for server in self._servers] + [time for time, *_ in self._later[:1]]
        due = min((time for time in times if time > now), default=None)
        timer = loop.call_at(due, self._woken.set) if due is not None else None
        await self._woken.wait()
        self._woken.clear()
        if timer:
            timer.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        self._error = self._error or error
        self._woken.set()

    async def _work(self, request: Request, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        """One request after another. The next one begins at once, on the connection that has just become free."""
        pair: tuple[Request, Server] | None = (request, server)
        while pair:
            request, server = pair
            try:
                await self._try(request, server, loop)
            finally:
                server.running -= 1
                self._woken.set()
            pair = self._pick(loop.time())

    async def _try(self, request: Request, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        started = loop.time()
        task = cast("asyncio.Task[None]", asyncio.current_task())
        # For the whole of a request, however its bytes drip.
        deadline = loop.call_later(self._timeout, task.cancel)
        try:
            outcome = await self._ask(server, request)
        except asyncio.CancelledError:
            if self._stopped:
                raise
            if sys.version_info >= (3, 11):
                task.uncancel()
            outcome = RequestError("failed", f"no answer within {self._timeout:g} s")
        finally:
            deadline.cancel()
        request.last = server
        if isinstance(outcome, RequestError):
            self._put_off(outcome, request, server, started, loop.time())
        else:
            server.answer()
            self._settle(request, outcome)
            self._look_for_a_pattern(outcome, server)

    def _put_off(self, trouble: RequestError, request: Request, server: Server, started: float, now: float) -> None:
        if trouble.kind == "failed":
            request.failures += 1
            server.spoke = True
            server.failed += 1
            if server.failed >= STREAK and any(other.well for other in self._servers if other is not server):
                server.rest(now + backoff(server.failed - STREAK + 1))
        else:
            request.refusals += 1
            server.spoke = server.spoke or trouble.kind == "busy"
            server.refuse(started, now, trouble.wait)
            if all(other.gone for other in self._servers):
                raise self._nobody(trouble)
        if request.failures >= TRIES or request.refusals >= REFUSALS:
            tries = request.failures + request.refusals
            self._settle(request, Skip("failed", f"{trouble.detail}, {tries} tries"))
        else:
            due = now + backoff(request.failures if trouble.kind == "failed" else request.refusals)
            heapq.heappush(self._later, (due, next(self._order), request))

    def _settle(self, request: Request, outcome: Answer | Skip) -> None:
        self._left -= 1
        self._put((request.key, outcome))

    def _look_for_a_pattern(self, outcome: Answer | Skip, server: Server) -> None:
        """Where the first requests are all rejected in the same words, it's not for their prompts."""
        self._answered = self._answered or isinstance(outcome, Answer)
        if self._answered or not isinstance(outcome, Skip) or outcome.reason != REJECTED:
            return
        self._rejected.append(outcome)
        if len(self._rejected) == ALIKE and len(set(self._rejected)) == 1:
            raise OutsideError(
                f"{server.name} rejects every request: {outcome.detail}", fix="leave out the option that it names"
            )

    def _nobody(self, trouble: RequestError) -> OutsideError:
        names = " and ".join(server.name for server in self._servers)
        if any(server.spoke for server in self._servers):
            return OutsideError(
                f"{names}: nothing but refusals for a while, the last one {trouble.detail}",
                fix="the same command goes on later, where it stopped",
            )
        return OutsideError(f"no server at {names}: {trouble.detail}", fix="start it, or check --base-url")
