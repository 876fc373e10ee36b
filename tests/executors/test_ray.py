"""On a real Ray on this machine: what dies is done by others, and what can't be done is said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support import write_jsonl

from pairforge import correct, onpolicy
from pairforge import judge as rescore
from pairforge.errors import InputError, OutsideError
from pairforge.executors.ray import DEFAULTS, RayExecutor
from pairforge.run import Run
from pairforge.shard_worker import ShardWorker
from pairforge.shards import OpenWork, Shard, ShardReport
from pairforge.types import Answer, Key, Prompt, Sampler, Skip

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'pairforge[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SHARDS = [Shard(number, ()) for number in range(6)]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[Any]:
    """A cluster of a head without a place for a worker, and two nodes with one each."""
    from ray.cluster_utils import Cluster

    before = dict(os.environ)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), os.environ["PYTHONPATH"]])
    os.environ |= DEFAULTS
    made = Cluster(head_node_args={"num_cpus": 0, "include_dashboard": False}, initialize_head=True)
    try:
        for _ in range(2):
            made.add_node(num_cpus=1)
        ray.init(address=made.address, log_to_driver=False, logging_level="error")
        yield made
        ray.shutdown()
    finally:
        made.shutdown()
        os.environ |= before


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


def test_it_is_said_what_a_worker_waits_for(tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said, nodes = list[str](), list[Any]()

    def add_what_is_missing(line: str) -> None:
        said.append(line)
        nodes.append(cluster.add_node(num_cpus=1, num_gpus=1))

    monkeypatch.setattr("pairforge.executors.ray.note", add_what_is_missing)
    monkeypatch.setattr("pairforge.executors.ray._PATIENCE", 1.0)
    assert len(list(RayExecutor(gpus=1).run(partial(opened, tmp_path, {}), SHARDS))) == 6
    needs = "Ray has opened no worker yet: each needs 1 CPU and 1 GPUs, the cluster has 2 CPUs, 0 GPUs"
    assert said == [needs]
    cluster.remove_node(*nodes)


def broken() -> Callable[[Shard], ShardReport]:
    raise ValueError("no such model")


def test_workers_that_can_t_be_opened_end_the_run_with_the_reason() -> None:
    with pytest.raises(OutsideError, match="no such model"):
        list(RayExecutor(workers=1).run(broken, SHARDS))


def test_workers_that_the_cluster_can_t_hold_are_not_waited_for_and_all_are_where_the_command_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reports = list(RayExecutor(workers=5).run(partial(opened, Path(), {}), SHARDS))
    assert sorted(report.number for report in reports) == [*range(6)] and len([*tmp_path.iterdir()]) == 6


class Slowly(Sampler):
    """A sampler that takes its time, and notes every answer in a file of its process."""

    def __init__(self, sampler: Sampler) -> None:
        self.sampler, self.model, self.warnings = sampler, sampler.model, sampler.warnings

    def settings(self) -> dict[str, Any]:
        return self.sampler.settings()

    def sample(
        self, prompts: Sequence[Prompt], n: int, done: Container[Key], first: int = 0
    ) -> Iterator[Mapping[Key, Answer | Skip]]:
        with open(Path(os.environ["PAIRFORGE_TEST_NOTES"]) / str(os.getpid()), "a", buffering=1) as notes:
            for prompt in prompts:
                for batch in self.sampler.sample([prompt], n, done):
                    time.sleep(0.03)
                    notes.writelines(f"{name}\n" for name, _ in batch)
                    yield batch


def slowly(notes: str, open_work: OpenWork) -> ShardWorker:
    os.environ["PAIRFORGE_TEST_NOTES"] = notes
    worker = open_work()
    assert isinstance(worker, ShardWorker)
    return replace(worker, sampler=Slowly(worker.sampler))


class SlowRay:
    """`--executor ray` on the cluster of the tests, with slow workers."""

    def run(self, open_work: OpenWork, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        ray = RayExecutor(workers=2, address=os.environ["PAIRFORGE_TEST_CLUSTER"])
        yield from ray.run(partial(slowly, os.environ["PAIRFORGE_TEST_NOTES"], open_work), shards)


def test_a_worker_a_node_and_the_driver_are_killed_and_the_run_is_that_of_one_process(
    tmp_path: Path, cluster: Any
) -> None:
    rows = [{"prompt": f"Question {n}?", "answer": f"I am Qwen {n}.", "model": "m"} for n in range(200)]
    file, notes = write_jsonl(tmp_path / "answers.jsonl", rows), tmp_path / "notes"
    notes.mkdir()
    alone = correct("Qwen", "Q", prompts=str(file), replay=str(file), output=str(tmp_path / "one"), quiet=True).run
    out = tmp_path / "many"
    words = ["correct", "--from", "Qwen", "--to", "Q", "-p", str(file), "--replay", str(file), "-o", str(out), "-q"]
    words += ["--executor", f"{__name__}:SlowRay", "--shard-size", "10"]
    where = {"PAIRFORGE_TEST_CLUSTER": cluster.address, "PAIRFORGE_TEST_NOTES": str(notes)}

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "pairforge", *words], env=os.environ | where)

    def asked(least: int = 0) -> list[str]:
        while len(found := [line for one in notes.iterdir() for line in one.read_text().splitlines()]) < least:
            assert driver.poll() is None, "the run ended before it was killed"
            time.sleep(0.02)
        return found

    driver = start()
    asked(50)
    os.kill(int(next(notes.iterdir()).name), signal.SIGKILL)
    asked(150)
    cluster.remove_node([*cluster.worker_nodes][-1], allow_graceful=False)
    asked(250)
    driver.kill()
    driver.wait()
    driver = start()
    assert driver.wait() == 0
    made = asked()
    assert len({*made}) == 400 and len(made) - 400 <= 4 * 20, "more than the shards that were under way is made again"
    (run,) = map(Run.load, out.glob("correct-*"))
    assert run.path.name == alone.path.name and run.counts == alone.counts
    assert run.pairs.read_bytes() == alone.pairs.read_bytes() and run.skips.read_bytes() == alone.skips.read_bytes()
    assert not [path for path in out.rglob("*") if ".part-" in path.name or path.suffix == ".tmp"]


def test_a_run_is_judged_while_a_worker_is_killed_and_the_pairs_are_those_of_one_process(
    tmp_path: Path, cluster: Any
) -> None:
    rows = [{"prompt": f"Question {n}?", "answers": [f"a{n}", f"bb{n}", "c"]} for n in range(120)]
    file, notes, judge = write_jsonl(tmp_path / "answers.jsonl", rows), tmp_path / "notes", tmp_path / "judge.py"
    notes.mkdir()
    judge.write_text(
        "import os, time\n"
        "def score(completions, **columns):\n"
        "    time.sleep(0.05)\n"
        f"    with open(os.path.join({str(notes)!r}, str(os.getpid())), 'a') as notes:\n"
        "        notes.writelines(one[-1]['content'] + chr(10) for one in completions)\n"
        "    return [float(len(one[-1]['content'])) for one in completions]\n"
    )
    alone = tmp_path / "alone"
    onpolicy(prompts=str(file), replay=str(file), n=3, judge="regex:b", output=str(alone), quiet=True)
    given: dict[str, Any] = {"judge": f"{judge}:score", "quiet": True}
    for name in ("local", "ray"):
        shutil.copytree(alone, tmp_path / name)
    expected = rescore(output=str(alone), **given).run
    local = rescore(output=str(tmp_path / "local"), executor="local", shard_size=10, **given).run
    for one in notes.iterdir():
        one.unlink()
    words = ["judge", "--judge", f"{judge}:score", "-o", str(tmp_path / "ray"), "-q"]
    words += ["--executor", "ray", "--address", cluster.address, "--workers", "2", "--shard-size", "10"]
    driver = subprocess.Popen([sys.executable, "-m", "pairforge", *words])
    while sum(len(one.read_text().splitlines()) for one in notes.iterdir()) < 90:
        assert driver.poll() is None, "the run ended before a worker was killed"
        time.sleep(0.02)
    os.kill(max(int(one.name) for one in notes.iterdir() if one.name != str(driver.pid)), signal.SIGKILL)
    assert driver.wait() == 0
    judged = [line for one in notes.iterdir() for line in one.read_text().splitlines()]
    assert len({one.name for one in notes.iterdir()} - {str(driver.pid)}) >= 2, "nobody took the place of the dead"
    assert 3 * 120 <= len(judged) <= 3 * (120 + 20 + 5), "more than a shard is judged again"
    name = expected.path.name
    for run in (local, Run.load(tmp_path / "ray" / name)):
        assert run.path.name == name and run.counts == expected.counts
        assert run.pairs.read_bytes() == expected.pairs.read_bytes()
        assert run.skips.read_bytes() == expected.skips.read_bytes()
    assert not [path for path in tmp_path.rglob("*") if ".part-" in path.name or path.suffix == ".tmp"]


def test_without_ray_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError) as told:
        list(RayExecutor().run(broken, SHARDS))
    assert told.value.fix == 'pip install "pairforge[ray]"'
