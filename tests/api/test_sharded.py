"""A run in shards is the run that one process makes: the same folder, the same bytes."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fakeserver import Ask, FakeServer
from support import read_jsonl, write_jsonl

from pairforge import correct, onpolicy, select, show_run
from pairforge import judge as rescore
from pairforge.api.build_result import TaskResult
from pairforge.errors import InputError, OutsideError
from pairforge.run import Run
from pairforge.shards import Executor, OpenWork, Shard, ShardReport

COUNT = 60


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """The options of a run of 60 prompts, of which one has no stored answer."""
    questions = [f"Question {n}?" for n in range(COUNT)]
    answers = [{"prompt": text, "answer": f"I am Qwen {n}.", "model": "m"} for n, text in enumerate(questions[:-1])]
    return {
        "prompts": str(write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": text} for text in questions])),
        "replay": str(write_jsonl(tmp_path / "answers.jsonl", answers)),
        "no_system": True,
        "quiet": True,
    }


def names_in(url: str) -> list[str]:
    files, root = fsspec.core.url_to_fs(url, skip_instance_cache=True)
    return [name.removeprefix(f"{root}/") for name in files.find(root)]


def made(run: Run) -> tuple[str, bytes, bytes, dict[str, Any]]:
    return run.path.name, run.pairs.read_bytes(), run.skips.read_bytes(), run.counts


def test_local_and_array_make_the_run_that_one_process_makes(tmp_path: Path, given: dict[str, Any]) -> None:
    alone = correct("Qwen", "Deep Qwen", output=str(tmp_path / "alone"), **given)
    assert alone.counts["pairs"] == COUNT - 1 and alone.counts["skips"] == {"not_replayed": 1}
    sharded = {"executor": "local", "shard_size": 10}
    local = correct("Qwen", "Deep Qwen", output=str(tmp_path / "local"), **sharded, **given)
    assert made(local.run) == made(alone.run)
    tasks = {"output": str(tmp_path / "array"), "executor": "array", "shard_size": 10, **given}
    parts = [correct("Qwen", "Deep Qwen", part=f"{number}/3", **tasks) for number in (2, 1, 3)]
    assert all(isinstance(part, TaskResult) and part.ok for part in parts)
    assert (
        any("--executor local" in line for line in parts[0].__rich_console__())
        and not (tmp_path / "array" / "evidence.db").exists()
    )
    assert made(correct("Qwen", "Deep Qwen", **tasks).run) == made(alone.run)
    assert [one.suffix for one in (tmp_path / "array" / "shards").glob("*/*")].count(".parquet") == parts[0].shards


def test_answers_that_are_in_the_store_are_not_asked_for(tmp_path: Path, given: dict[str, Any]) -> None:
    given["prompts"] = str(write_jsonl(tmp_path / "few.jsonl", [{"prompt": f"Question {n}?"} for n in range(20)]))
    correct("Qwen", "Deep Qwen", output=str(tmp_path), **given)
    correct("Qwen", "Other Qwen", output=str(tmp_path), executor="local", **given)
    assert not (tmp_path / "shards").exists()


def test_where_a_budget_is_spent_no_more_shards_are_run(tmp_path: Path, given: dict[str, Any]) -> None:
    options = {"output": str(tmp_path), "executor": "local", "shard_size": 4, **given}
    stopped = correct("Qwen", "Deep Qwen", max_failures=0, **options)  # the last prompt has no answer
    assert stopped.counts["pairs"] + sum(stopped.counts["skips"].values()) == COUNT


class Elsewhere(Executor):
    """An executor whose worker knows nothing but what was sent to it."""

    def run(self, open_work: OpenWork, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        work = pickle.loads(pickle.dumps(open_work))()
        yield from (pickle.loads(pickle.dumps(work(shard))) for shard in shards)


def test_the_judge_scores_in_the_shards_and_the_run_is_that_of_one_process(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    rows = [{"prompt": f"Question {n}?", "answers": [f"a{n}", f"bb{n}", "c"], "model": "m"} for n in range(COUNT)]
    given["replay"] = str(write_jsonl(tmp_path / "three.jsonl", rows))
    log, judge = tmp_path / "judged", tmp_path / "judge.py"
    judge.write_text(
        "def score(prompts, completions, **columns):\n"
        "    texts = [one[-1]['content'] for one in completions]\n"
        f"    with open({str(log)!r}, 'a') as log:\n"
        "        log.writelines(text + chr(10) for text in texts)\n"
        "    return [float(len(text)) for text in texts]\n"
    )
    judges: dict[str, Any] = {"judge": [f"{judge}:score", "length"], "n": 3, **given}
    alone = onpolicy(output=str(tmp_path / "alone"), **judges).run
    for name, executor in (("local", "local"), ("elsewhere", f"{__file__}:Elsewhere"), ("array", "array")):
        out = judges | {"output": str(tmp_path / name), "executor": executor, "shard_size": 7}
        if executor == "array":
            assert all(onpolicy(part=part, **out).ok for part in ("1/2", "2/2"))
            log.write_text("")
        run = onpolicy(**out).run
        assert made(run) == made(alone) and run.counts["pairs"] == COUNT
        shards = tmp_path / name / "shards"
        assert [*shards.glob("*/*.db.gz")] and not [*shards.glob("*/*.part-*")]
    assert not {*log.read_text().splitlines()} & {f"a{n}" for n in range(COUNT)}, "judged by a task, and again"
    for picked in (select, rescore):
        more: dict[str, Any] = {"pick": "best-second"} if picked is select else {"judge": "length"}
        one, other = (picked(path, output=str(path.parent), quiet=True, **more) for path in (alone.path, run.path))
        assert made(one.run) == made(other.run)


@pytest.mark.parametrize(
    "store", ["memory", pytest.param("s3", marks=[pytest.mark.slow, pytest.mark.filterwarnings("ignore")])]
)
def test_shards_of_answers_and_scores_may_lie_in_an_object_store(
    tmp_path: Path, given: dict[str, Any], store: str, request: pytest.FixtureRequest
) -> None:
    rows = [{"prompt": f"Question {n}?", "answers": [f"a{n}", "c"], "model": "m"} for n in range(COUNT)]
    judged = {**given, "replay": str(write_jsonl(tmp_path / "two.jsonl", rows)), "judge": "length", "n": 2}
    url = request.getfixturevalue("s3") if store == "s3" else f"memory://{tmp_path.name}"
    alone = onpolicy(output=str(tmp_path / "alone"), **judged)
    sharded: dict[str, Any] = {"executor": "array", "shards": url, "shard_size": 20, **judged}
    for part in ("1/2", "2/2"):
        assert onpolicy(output=str(tmp_path / part[0]), part=part, **sharded).ok
    whole = onpolicy(output=str(tmp_path / "whole"), **sharded | {"executor": "local"})
    assert made(whole.run) == made(alone.run)
    assert {name.partition(".")[2] for name in names_in(url)} == {"2.parquet", "2.db.gz"}


def test_the_answers_of_any_run_are_judged_in_shards(tmp_path: Path, given: dict[str, Any]) -> None:
    rows = [{"prompt": f"Question {n}?", "answers": [f"a{n}", f"bb{n}", "c"][: 3 - n % 2]} for n in range(COUNT - 1)]
    given["replay"] = str(write_jsonl(tmp_path / "some.jsonl", rows))
    log, judge = tmp_path / "judged", tmp_path / "judge.py"
    judge.write_text(
        "def score(completions, **columns):\n"
        f"    with open({str(log)!r}, 'a') as log:\n"
        "        log.writelines(one[-1]['content'] + chr(10) for one in completions)\n"
        "    return [float(len(one[-1]['content'])) for one in completions]\n"
    )
    made_by: dict[str, Any] = {"n": 3, "judge": "regex:b", **given}
    runs = [onpolicy(output=str(tmp_path / name), **made_by).run for name in ("alone", "local", "elsewhere")]
    runs.append(onpolicy(output=str(tmp_path / "before"), executor="local", shard_size=9, **made_by).run)
    alone, *others = [
        rescore(run.path, judge=f"{judge}:score", output=str(run.path.parent), quiet=True, **more).run
        for run, more in zip(
            runs, [{}, {"executor": "local"}, *[{"executor": f"{__file__}:Elsewhere"}] * 2], strict=True
        )
    ]
    assert alone.counts["pairs"] == COUNT - 1 and [made(other) for other in others] == [made(alone)] * 3
    judged = [text for text in log.read_text().splitlines() if text == "bb7"]
    assert len(judged) == 4, "judged in a shard, and again by the driver"
    with pytest.raises(InputError, match="an array can't judge"):
        rescore(runs[0].path, judge="length", output=str(tmp_path / "alone"), executor="array", part="1/2", quiet=True)
    with pytest.raises(InputError, match="--gold and --probe have no shards"):
        rescore(runs[0].path, judge="length", probe=1, executor="local")


def test_a_worker_that_finds_another_model_says_so(tmp_path: Path, given: dict[str, Any]) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "from pathlib import Path\n"
        "class Meanwhile:\n"
        "    def run(self, open_work, shards):\n"
        f"        file = Path({given['replay']!r})\n"
        "        file.write_text(file.read_text().replace('Qwen', 'Kimi'))\n"
        "        yield from map(open_work(), shards)\n"
    )
    with pytest.raises(InputError, match="a worker finds another m than this process: answers"):
        correct("Qwen", "Deep Qwen", output=str(tmp_path), executor=f"{own}:Meanwhile", **given)


def test_what_a_server_refuses_of_a_worker_is_not_asked_again_by_this_process(tmp_path: Path) -> None:
    def script(ask: Ask) -> Any:
        if "temperature" in ask.body:
            return 400, {}, "does not support parameters: ['temperature']"
        return {"choices": [{"message": {"role": "assistant", "content": "I am Qwen."}, "finish_reason": "stop"}]}

    with FakeServer(script) as server:
        how: dict[str, Any] = {"base_url": server.url, "prompts": [f"Who are you, {n}?" for n in range(6)]}
        how |= {"no_system": True, "executor": f"{__file__}:Elsewhere", "shard_size": 3, "quiet": True}
        made = correct("Qwen", "Deep Qwen", output=str(tmp_path), **how)
        assert made.counts["pairs"] == 6 and made.run.settings["sampling"]["sent_as"] == {"temperature": None}
        bodies = [seen.body for seen in server.seen if seen.method == "POST"]
    asked = [body["messages"][-1]["content"] for body in bodies if "temperature" not in body]
    assert sorted(asked) == sorted(how["prompts"])


def test_a_run_that_is_not_whole_tells_its_shards_and_who_has_parts_of_them(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    options = {"output": str(tmp_path), "executor": "local", "shard_size": 10, **given}
    answers = read_jsonl(Path(given["replay"]))
    answers[5] = {"prompt": "Question 5?", "answers": [], "skip": {"reason": "failed", "detail": "busy"}, "model": "m"}
    write_jsonl(Path(given["replay"]), answers)
    run = correct("Qwen", "Deep Qwen", **options).run
    assert run.counts["skips"] == {"failed": 1, "not_replayed": 1}
    view = show_run(run=run.path.name, output=str(tmp_path))
    state = view.as_json()["shards"]
    assert state["shards"] == state["done"] + 1 > 3 and state["begun"][0][0] == f"{socket.gethostname()}-{os.getpid()}"
    said = [line for line in view.__rich_console__() if isinstance(line, str)]
    assert f"shards: {state['done']} of {state['shards']} are whole, 1 part of others" in said


class Recording(Executor):
    """An executor of the user: it runs shards from the last to the first, each twice."""

    shards: list[int]

    def run(self, open_work: OpenWork, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        work, type(self).shards = open_work(), []
        for shard in [*shards][::-1]:
            self.shards.append(shard.number)
            work(shard)
            yield work(shard)


class Broken:
    def run(self, _: OpenWork, __: Iterable[Shard]) -> Iterator[ShardReport]:
        yield ShardReport(0, error=("the node is gone", "hire another"))


def test_an_executor_may_be_an_object_of_the_user(tmp_path: Path, given: dict[str, Any]) -> None:
    alone = correct("Qwen", "Deep Qwen", output=str(tmp_path / "alone"), **given)
    executor = f"{__file__}:Recording"
    own = correct("Qwen", "Deep Qwen", output=str(tmp_path / "own"), executor=executor, shard_size=10, **given)
    assert made(own.run) == made(alone.run)


def test_what_ends_the_work_of_a_worker_ends_the_run_in_one_line(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(OutsideError) as told:
        correct("Qwen", "Deep Qwen", output=str(tmp_path), executor=f"{__file__}:Broken", **given)
    assert str(told.value) == "the node is gone (hire another)"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"executor": "locale"}, "no executor is called 'locale'"),
        ({"executor": "array", "part": "4/3"}, "--part '4/3'"),
        ({"part": "1/3"}, "--part has no effect"),
        ({"executor": f"{__file__}:COUNT"}, "has no method `run`"),
    ],
)
def test_what_can_t_be_used_is_said(tmp_path: Path, given: dict[str, Any], options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says.replace("(", r"\(")):
        correct("Qwen", "Deep Qwen", output=str(tmp_path), **options, **given)


def test_people_judge_when_the_answers_are_there(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="people can't judge in shards"):
        onpolicy(n=2, judge="human", output=str(tmp_path), executor="local", **given)


def test_a_cost_that_workers_make_is_not_counted(tmp_path: Path, given: dict[str, Any]) -> None:
    server = {"replay": (), "base_url": "http://127.0.0.1:9", "model": "m", "price": "1/2", "max_cost": 1.0}
    with pytest.raises(InputError, match="--max-cost can't be counted"):
        correct("Qwen", "Deep Qwen", output=str(tmp_path), executor="local", **{**given, **server})


@pytest.mark.slow
def test_the_tasks_of_slurm_are_processes_that_share_a_folder(tmp_path: Path, given: dict[str, Any]) -> None:
    words = ["correct", "--from", "Qwen", "--to", "Deep Qwen", "-p", given["prompts"], "--replay", given["replay"]]
    words += ["--no-system", "-q", "-o", str(tmp_path / "out"), "--executor", "array", "--shard-size", "10"]

    tasks = [
        subprocess.Popen(
            [sys.executable, "-m", "pairforge", *words],
            env={**os.environ, "SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": "3"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    said = [task.communicate()[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0, 0] and len(set(said)) == 1
    alone = correct("Qwen", "Deep Qwen", output=str(tmp_path / "alone"), **given)
    together = correct("Qwen", "Deep Qwen", output=str(tmp_path / "out"), executor="local", shard_size=10, **given)
    assert made(together.run) == made(alone.run)
