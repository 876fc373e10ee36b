"""On a real Ray on this machine: what dies is done by others, and what can't be done is said."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from pairforge.errors import InputError, OutsideError
from pairforge.executors.ray import RayExecutor
from pairforge.shards import Shard, ShardReport

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'pairforge[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SHARDS = [Shard(number, ()) for number in range(6)]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    os.environ["PYTHONPATH"] = os.pathsep.join([os.getcwd(), f"{os.getcwd()}/tests", os.environ.get("PYTHONPATH", "")])
    os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


def work(folder: Path, dies: dict[int, int], shard: Shard) -> ShardReport:
    """Note that a shard is run; die while one is run for the first times."""
    number = len([*folder.glob(f"{shard.number}-*")])
    (folder / f"{shard.number}-{number}").touch()
    if number < dies.get(shard.number, 0):
        os.kill(os.getpid(), signal.SIGKILL)
    return ShardReport(shard.number, 1)


def opened(folder: Path, dies: dict[int, int]) -> Callable[[Shard], ShardReport]:
    return partial(work, folder, dies)


def test_shards_of_a_worker_that_dies_go_to_another(tmp_path: Path) -> None:
    reports = list(RayExecutor(workers=2).run(partial(opened, tmp_path, {1: 1, 4: 2}), SHARDS))
    assert sorted(report.number for report in reports) == [*range(6)] and not any(report.error for report in reports)


def test_a_shard_that_kills_its_workers_is_given_up_and_the_others_are_done(tmp_path: Path) -> None:
    reports = {
        report.number: report for report in RayExecutor(workers=2).run(partial(opened, tmp_path, {2: 99}), SHARDS)
    }
    assert [number for number, report in reports.items() if report.error] == [2] and len(reports) == 6
    assert "3 workers died on shard 2" in str(reports[2].error)


def broken() -> Callable[[Shard], ShardReport]:
    raise ValueError("no such model")


def test_workers_that_can_t_be_opened_end_the_run_with_the_reason() -> None:
    with pytest.raises(OutsideError, match="no such model"):
        list(RayExecutor(workers=1).run(broken, SHARDS))


def test_more_workers_than_the_cluster_can_hold_are_no_reason_to_wait(tmp_path: Path) -> None:
    reports = list(RayExecutor(workers=5).run(partial(opened, tmp_path, {}), SHARDS))
    assert sorted(report.number for report in reports) == [*range(6)]


def test_without_ray_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError) as told:
        list(RayExecutor().run(broken, SHARDS))
    assert told.value.fix == 'pip install "pairforge[ray]"'
