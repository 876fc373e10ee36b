"""Executors of your own: pairforge correct ... --executor examples/executors.py:Dask

Each runs the shards of a run somewhere, each at least once, and yields what the workers report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from tempfile import TemporaryDirectory

from pairforge.shards import OpenWork, Shard, ShardReport, run_shard


class Dask:
    """Runs shards on a cluster of Dask: `Client()` starts one here, `Client("tcp://scheduler:8786")` finds another."""

    def run(self, open_work: OpenWork, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        from distributed import Client, as_completed

        with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
            futures = [client.submit(run_shard, open_work, shard, pure=False) for shard in shards]
            for future in as_completed(futures):
                yield future.result()


class Datatrove:
    """Runs shards as the tasks of datatrove's executor; the processes are forked, so they need not import this file."""

    def run(self, open_work: OpenWork, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        from datatrove.executor import LocalPipelineExecutor

        listed, run = list(shards), partial(run_shard, open_work)

        def step(data, rank: int = 0, world_size: int = 1):
            for shard in listed[rank::world_size]:
                run(shard)
            return data

        with TemporaryDirectory() as logs:
            LocalPipelineExecutor([step], tasks=len(listed), workers=2, logging_dir=logs, start_method="fork").run()
        yield from map(run, listed)  # what was committed costs nothing; what is missing is done here
