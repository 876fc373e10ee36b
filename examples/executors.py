"""Executors of your own: pairforge correct ... --executor examples/executors.py:Dask

Each runs the shards of a run somewhere, each at least once, and yields what the workers report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from tempfile import TemporaryDirectory

from pairforge.shards import OpenWork, Shard, ShardReport


@lru_cache(maxsize=1)
def worker(open_work: OpenWork):
    """Open a worker once in each process: it loads the model."""
    return open_work()


def on_worker(open_work: OpenWork, shard: Shard) -> ShardReport:
    return worker(open_work)(shard)


class Dask:
    """Runs shards on a cluster of Dask: `Client()` starts one here, `Client("tcp://scheduler:8786")` finds another."""

    def run(self, open_work: OpenWork, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        from distributed import Client, as_completed

        with Client(n_workers=2, threads_per_worker=1) as client:
            futures = client.map(partial(on_worker, open_work), list(shards), pure=False)
            for future in as_completed(futures):
                yield future.result()


class Datatrove:
    """Runs shards as the tasks of datatrove's executor; a SlurmPipelineExecutor takes the same pipeline."""

    def run(self, open_work: OpenWork, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        from datatrove.executor import LocalPipelineExecutor

        listed = list(shards)

        def step(data, rank: int = 0, world_size: int = 1):
            for shard in listed[rank::world_size]:
                on_worker(open_work, shard)
            return data

        with TemporaryDirectory() as logs:
            LocalPipelineExecutor([step], tasks=len(listed), workers=2, logging_dir=logs).run()
        work = open_work()  # what was committed costs nothing; what is missing is done here
        yield from map(work, listed)
