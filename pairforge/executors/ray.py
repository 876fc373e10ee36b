"""Shards on a Ray cluster: each worker is an actor that holds a model."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..console import note
from ..errors import InputError, OutsideError, PairforgeError
from ..shards import OpenWork, Shard, ShardReport
from ..text import one_line

_TRIES = 3
"""A shard on which so many workers died is given up."""
_PATIENCE = 60.0
"""So many seconds are waited for the first worker before it is said what it waits for."""
DEFAULTS = {"RAY_worker_niceness": "0", "RAY_agent_register_timeout_ms": "300000", "RAY_DEDUP_LOGS": "0"}
"""What Ray sets otherwise: its workers run at niceness 15, and its agents have 30 s to start."""


class _Worker:
    """What runs in an actor."""

    def __init__(self, open_work: OpenWork, folder: str) -> None:
        self._open, self._folder = open_work, folder

    def open(self) -> tuple[str, str] | None:
        """Open the work, as soon as there is a place for the actor; return what is wrong, and how to correct it."""
        with suppress(OSError):  # names of files are meant from where the command was given, if that is there
            os.chdir(self._folder)
        try:
            self._work = self._open()
        except PairforgeError as error:
            return error.message, error.fix or ""
        except Exception as error:  # noqa: BLE001 - of the user's own executor, sampler or model
            return one_line(f"{type(error).__name__}: {error}", 300), ""
        return None

    def run(self, shard: Shard) -> ShardReport:
        return self._work(shard)


@dataclass(frozen=True)
class RayExecutor:
    """Hands shards to actors of a Ray cluster, one at a time to each; those of an actor that dies go to another.

    Args:
        workers: the number of actors.
        gpus: of each actor.
        address: of a cluster that runs, e.g. `auto`; without it, one is started on this machine.
    """

    workers: int = 1
    gpus: float = 0
    address: str | None = None

    def run(self, open_work: OpenWork, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        """Yield the reports as they come. Raises InputError and OutsideError."""
        with _connected(self.address) as ray:
            # An actor that Ray restarts keeps its shards, and waits for a node that may never come: none is restarted.
            actor = ray.remote(num_cpus=1, num_gpus=self.gpus, max_restarts=0)(_Worker)
            yield from self._run(ray, lambda: actor.remote(open_work, os.getcwd()), iter(shards))

    def _run(self, ray: Any, hire: Any, shards: Iterator[Shard]) -> Iterator[ShardReport]:
        again, deaths = deque[Shard](), Counter[int]()
        hired: dict[Any, Any] = {}  # what it says when it is open -> the actor
        busy: dict[Any, tuple[Any, Shard]] = {}
        following, opened = next(shards, None), False
        while following or again or busy:
            wanted = min(self.workers, len(busy) + len(again) + (self.workers if following else 0))
            while len(hired) + len(busy) < wanted:
                new = hire()
                hired[new.open.remote()] = new
            done, _ = ray.wait([*busy, *hired], num_returns=1, timeout=None if opened else _PATIENCE)
            if not done:
                opened = True  # say it once
                has = ", ".join(f"{ray.cluster_resources().get(name, 0):g} {name}s" for name in ("CPU", "GPU"))
                note(f"Ray has opened no worker yet: each needs 1 CPU and {self.gpus:g} GPUs, the cluster has {has}")
                continue
            opened = True
            if done[0] in busy:
                worker, shard = busy.pop(done[0])
                try:
                    yield ray.get(done[0])
                except ray.exceptions.RayActorError:
                    deaths[shard.number] += 1
                    if deaths[shard.number] < _TRIES:
                        again.append(shard)
                    else:
                        what = f"{_TRIES} workers died on shard {shard.number} ({shard.name})"
                        yield ShardReport(shard.number, error=(what, "see Ray's logs: it may need more memory"))
                    continue
            else:
                worker = hired.pop(done[0])
                try:
                    wrong = ray.get(done[0])
                except ray.exceptions.RayActorError as error:
                    deaths[-1] += 1
                    if deaths[-1] < _TRIES:
                        continue
                    wrong = f"{_TRIES} workers died when they started: {one_line(str(error), 200)}", "see Ray's logs"
                if wrong:
                    raise OutsideError(f"a worker: {wrong[0]}", fix=wrong[1] or None)
            if not again and following:
                again.append(following)
                following = next(shards, None)
            if again:
                shard = again.popleft()
                busy[worker.run.remote(shard)] = worker, shard
            else:
                ray.kill(worker)  # so that another, which waits for its place, can have it
        for worker in hired.values():
            ray.kill(worker)


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    try:
        import ray
    except ImportError as error:
        what = "--executor ray needs Ray, which is not installed"
        raise InputError(what, fix='pip install "pairforge[ray]"') from error
    there = ray.is_initialized()
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        if not there:
            ray.init(address=address or "local", log_to_driver=False, logging_level="error", include_dashboard=False)
    except Exception as error:  # Ray raises errors of its own, of the system and of gRPC
        raise OutsideError(f"Ray: {one_line(str(error), 200)}", fix=_advice(address, str(error))) from error
    try:
        yield ray
    finally:
        if not there:
            with suppress(Exception):
                ray.shutdown()


def _advice(address: str | None, said: str) -> str:
    if "token" in said.lower() or "auth" in said.lower():
        return "set RAY_AUTH_TOKEN to the token of the cluster, as `ray start` printed it"
    if address:
        return f"check that a cluster runs there: ray status --address {address}"
    return "a loaded machine may be too slow to start Ray within 30 s: run the same command again"
