"""Pushing, against a Hub on loopback: one process that pushes, with a home of its own, talks to the fake one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakehub import READER, WRITER, FakeHub
from support import pair, write_jsonl

from pairforge.errors import InputError
from pairforge.formats import to_dataset
from pairforge.hub import manifest
from pairforge.hub.dataset_upload import BuiltDataset, DatasetUpload, _There
from pairforge.hub.repository import Head, _outside
from pairforge.run import Run
from pairforge.store import Store
from pairforge.types import Answer, Prompt

WORKER = """
import json, os, sys
from pairforge import PairforgeError
from pairforge.hub import data_files, repository
from pairforge.api.push import push

repository.backoff = lambda failures: 0.01

def load(repo, name=None, split="train", revision=None):
    from datasets import load_dataset
    return load_dataset(repo, name, split=split, revision=revision).to_list()

def call(name, token, arguments):
    os.environ["HF_TOKEN"] = token
    try:
        if name == "load":
            return load(**arguments)
        if name == "timeout":
            from huggingface_hub import get_session
            with repository.connected("me/pairs", "dataset"):
                inside = get_session().timeout.read
            return [inside, get_session().timeout.read]
        if name == "files_of_bytes":
            data_files._ROW_GROUP = data_files._SHARD = arguments["size"]
            return None
        if name == "terminal":
            at = sys.modules["pairforge.api.push"]
            at._may_ask, at._ask = (lambda options: True), (lambda what: arguments["says"])
            return None
        if name == "no_terminal":
            sys.modules["pairforge.api.push"]._may_ask = lambda options: False
            return None
        return push(**arguments).as_json()
    except PairforgeError as error:
        return {"error": str(error), "exit": error.exit_code}

for line in sys.stdin:
    print(json.dumps(call(*json.loads(line))), flush=True)
"""


class Worker:
    """A process that pushes on demand. Imports cost seconds, so one serves all tests."""

    def __init__(self, hub: FakeHub, home: Path) -> None:
        mine = {"HF_HOME": str(home), "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(Path.cwd())}
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING", "PYTHONWARN"))}
        mine |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "PAIRFORGE_OUT": str(home / "out"), "NO_PROXY": "*"}
        self._errors = home / "stderr"
        with self._errors.open("w") as errors:
            command = [sys.executable, "-c", WORKER]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=kept | mine, text=True
            )

    @property
    def said(self) -> str:
        """All that it wrote on stderr."""
        return self._errors.read_text()

    def __call__(self, name: str, /, token: str = WRITER, **arguments: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.poll() is None, self.said
        self._process.stdin.write(json.dumps([name, token, arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self.said
        return json.loads(answer)

    def close(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        yield hub


@pytest.fixture(scope="module")
def worker(server: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    worker = Worker(server, tmp_path_factory.mktemp("home"))
    yield worker
    worker.close()


@pytest.fixture
def hub(server: FakeHub) -> FakeHub:
    server.repos.clear()
    server.faults.clear()
    server.requests.clear()
    server.stumbles.clear()
    server.served.clear()
    server.down = server.retry_after = None
    return server


def rows(count: int = 3, name: str = "Deep Qwen") -> list[dict[str, Any]]:
    columns = {"model": "org/model"}
    return [
        pair(f"I am {name}.", "I am Qwen.", f"Who are you, {index}?", id=f"{index}", **columns)
        for index in range(count)
    ]


def push(worker: Worker, token: str = WRITER, **more: Any) -> dict[str, Any]:
    result: dict[str, Any] = worker("push", token, **({"data": rows(), "repo": "me/pairs"} | more))
    return result


@pytest.mark.slow
def test_what_is_pushed_comes_back_by_load_dataset(hub: FakeHub, worker: Worker) -> None:
    result = push(worker, license="mit")
    repo = hub.repos["me/pairs"]
    assert result["pushed"]
    assert result["ok"]
    assert result["commit"] == repo.commits[-1]
    assert result["url"] == f"{hub.url}/datasets/me/pairs"
    assert repo.private
    assert len(repo.commits) == 2  # the empty one of the new dataset, and ours
    made = {"README.md", "pairforge.json", "data/train-00000-of-00001.parquet"}
    assert set(repo.files) - {"croissant.json"} == {".gitattributes", *made}
    assert worker("load", repo="me/pairs") == rows()
    assert f"{result['commit'][:7]} was read back, and is as it was built" in result["note"]


@pytest.mark.slow
def test_the_same_pairs_again_make_no_commit(hub: FakeHub, worker: Worker) -> None:
    first = push(worker)
    hub.requests.clear()
    turned = [dict(reversed(row.items())) for row in rows()]
    again = push(worker, data=turned)
    assert (again["pushed"], again["commit"], again["ok"]) == (False, first["commit"], True)
    assert "already up to date" in again["note"]
    assert len(hub.repos["me/pairs"].commits) == 2
    assert {method for method, _, _ in hub.requests} <= {"GET", "HEAD"}


@pytest.mark.slow
def test_other_pairs_or_another_licence_make_one(hub: FakeHub, worker: Worker) -> None:
    push(worker)
    assert push(worker, license="mit")["pushed"]
    assert push(worker, data=rows(2), license="mit", yes=True)["pushed"]
    assert len(hub.repos["me/pairs"].commits) == 4
    assert worker("load", repo="me/pairs") == rows(2)


@pytest.mark.slow
def test_a_report_comes_and_goes_with_its_pairs(hub: FakeHub, worker: Worker) -> None:
    assert push(worker, report=True)["pushed"]
    repo = hub.repos["me/pairs"]
    assert repo.files["data/report.html"].startswith(b"<!DOCTYPE html>")
    assert b"(data/report.html)" in repo.files["README.md"]
    assert not push(worker, report=True)["pushed"]
    hub.put("me/pairs", {"data/report.html": b"another"})
    assert push(worker, report=True)["pushed"] and repo.files["data/report.html"].startswith(b"<!DOCTYPE html>")
    assert push(worker)["pushed"] and "data/report.html" not in repo.files
    assert b"report.html" not in repo.files["README.md"]


def test_a_damaged_data_file_is_pushed_again(hub: FakeHub, worker: Worker) -> None:
    push(worker)
    hub.put("me/pairs", {"data/train-00000-of-00001.parquet": b"broken"})
    assert push(worker)["pushed"]


@pytest.mark.parametrize("fault", ["lost", "html"])
def test_a_lost_answer_is_no_lost_commit(hub: FakeHub, worker: Worker, fault: str) -> None:
    hub.faults.append(fault)
    result = push(worker)
    assert result["pushed"]
    assert result["commit"] == hub.repos["me/pairs"].commits[-1]
    assert len(hub.repos["me/pairs"].commits) == 2


@pytest.mark.parametrize("status", [500, 503, 504, 409, 429, 408])
def test_a_commit_that_fails_for_a_moment_is_tried_again(hub: FakeHub, worker: Worker, status: int) -> None:
    hub.faults += [status, status]
    assert push(worker)["pushed"]
    assert len(hub.repos["me/pairs"].commits) == 2


STEPS = ["auth-check", "repos/create", "/api/datasets/me/pairs", "preupload", "info/lfs", "/storage/", "/commit/"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", [503, 429])
def test_each_step_that_fails_for_a_moment_is_tried_again(hub: FakeHub, worker: Worker, step: str, status: int) -> None:
    hub.blobs.clear()
    hub.stumbles.append((step, status, "later"))
    assert push(worker)["pushed"]
    assert hub.stumbles == []
    assert len(hub.repos["me/pairs"].commits) == 2


def test_an_address_of_the_storage_that_has_expired_is_asked_for_again(hub: FakeHub, worker: Worker) -> None:
    hub.blobs.clear()
    hub.stumbles.append(("/storage/", 403, "Request has expired"))
    result = push(worker)
    assert result.get("pushed"), result
    assert len(hub.repos["me/pairs"].commits) == 2


def test_a_storage_that_refuses_is_no_matter_of_the_token(hub: FakeHub, worker: Worker) -> None:
    hub.blobs.clear()
    hub.stumbles += [("/storage/", 403, "Request has expired")] * 5
    result = push(worker)
    assert result["exit"] == 4
    assert "the storage of the Hub refuses the upload: Request has expired" in result["error"]
    assert "token" not in result["error"] and "Signature" not in result["error"]
    assert len(hub.repos["me/pairs"].commits) == 1


@pytest.mark.parametrize("step", STEPS)
def test_a_wait_of_an_hour_is_not_waited_for(hub: FakeHub, worker: Worker, step: str) -> None:
    hub.blobs.clear()
    hub.retry_after = 3600
    hub.stumbles += [(step, 429, "slow down")] * 2
    result = push(worker)
    assert len(hub.stumbles) == 1
    assert result["exit"] == 4
    assert "asks to slow down (429): nothing was pushed (run the same command again in 60 minutes)" in result["error"]


def test_a_commit_that_is_to_wait_for_an_hour_says_so(hub: FakeHub, worker: Worker) -> None:
    hub.retry_after = 3600
    hub.stumbles.append(("/commit/", 503, "at work"))
    result = push(worker)
    assert result["exit"] == 4
    assert "(run the same command again in 60 minutes)" in result["error"]


@pytest.mark.parametrize("status", [500, 503, 409])
def test_a_failed_commit_is_said_to_have_failed(hub: FakeHub, worker: Worker, status: int) -> None:
    hub.faults += [status] * 20
    result = push(worker)
    hub.faults.clear()
    assert result["exit"] == 4
    assert len(hub.repos["me/pairs"].commits) == 1
    assert push(worker)["pushed"]


def test_a_commit_of_others_in_between(hub: FakeHub, worker: Worker) -> None:
    hub.faults.append("raced")
    assert "other.txt" in push(worker)["error"]
    hub.faults.append("raced")
    assert push(worker, yes=True)["pushed"]
    assert hub.repos["me/pairs"].files["other.txt"] == b"somebody was faster"
    assert f"commit {hub.repos['me/pairs'].commits[-2][:7]} 'mine first' by me was made meanwhile" in worker.said


def test_files_of_others_are_kept(hub: FakeHub, worker: Worker) -> None:
    hub.put("me/pairs", {"README.md": b"# mine", "data/old.parquet": b"x", "data/\x1b[2Jx": b""})
    refused = push(worker)
    assert refused["exit"] == 2
    assert "README.md, data/\\x1b[2Jx, data/old.parquet" in refused["error"]
    assert "--yes" in refused["error"]
    assert len(hub.repos["me/pairs"].commits) == 1
    assert push(worker, yes=True)["pushed"]
    assert hub.repos["me/pairs"].files["data/old.parquet"] == b"x"
    assert worker("load", repo="me/pairs") == rows()


def test_a_card_edited_on_the_hub_is_a_file_of_others(hub: FakeHub, worker: Worker) -> None:
    push(worker)
    text = hub.repos["me/pairs"].files["README.md"]
    hub.put("me/pairs", {"README.md": text.replace(b"# Preference pairs", b"# My pairs")})
    assert not push(worker)["pushed"]  # the same pairs: nothing to do, and the word stays
    assert "README.md" in push(worker, data=rows(4))["error"]
    assert push(worker, data=rows(4), yes=True)["pushed"]


def test_a_text_below_the_card_stays(hub: FakeHub, worker: Worker) -> None:
    push(worker)
    text = hub.repos["me/pairs"].files["README.md"]
    hub.put("me/pairs", {"README.md": text + b"\nA word of mine.\n"})
    assert push(worker, data=rows(4))["pushed"]
    assert hub.repos["me/pairs"].files["README.md"].endswith(b"\nA word of mine.\n")
    assert not push(worker, data=rows(4))["pushed"]


def test_a_card_of_others_stays_below_ours(hub: FakeHub, worker: Worker) -> None:
    hub.put("me/pairs", {"README.md": b"---\nlicense: mit\n---\n# Mine\n"})
    assert push(worker, yes=True)["pushed"]
    assert hub.repos["me/pairs"].files["README.md"].endswith(b"\n# Mine\n")


def test_rows_are_not_lost_without_a_word(hub: FakeHub, worker: Worker) -> None:
    push(worker, data=rows(20))
    fewer = push(worker, data=rows(5))
    assert fewer["exit"] == 2
    assert "15 rows of me/pairs would be removed: 5, 6, 7 ..." in fewer["error"]
    assert "--yes" in fewer["error"]
    other = [row | {"chosen_score": 0.5} for row in rows(20)]
    assert "20 rows of me/pairs would be changed: 0, 1, 2 ..." in push(worker, data=other)["error"]
    assert len(hub.repos["me/pairs"].commits) == 2
    more = push(worker, data=rows(21))
    assert more["changes"] == {"added": 1, "removed": [], "changed": []}
    assert "1 row added, 0 removed, 0 changed" in more["note"]
    assert push(worker, data=rows(1), yes=True)["changes"]["removed"] == [str(number) for number in range(1, 21)]


def test_on_a_terminal_rows_are_asked_about(hub: FakeHub, worker: Worker) -> None:
    push(worker, data=rows(20))
    worker("terminal", says=False)
    assert "15 rows of me/pairs would be removed" in push(worker, data=rows(5))["error"]
    worker("terminal", says=True)
    done = push(worker, data=rows(5))
    worker("no_terminal")
    assert done["pushed"] and len(done["changes"]["removed"]) == 15


def test_rows_that_others_put_into_the_file_are_not_lost(hub: FakeHub, worker: Worker, tmp_path: Path) -> None:
    push(worker)
    to_dataset(rows(2, "Athene")).to_parquet(tmp_path / "theirs.parquet")
    hub.put("me/pairs", {"data/train-00000-of-00001.parquet": (tmp_path / "theirs.parquet").read_bytes()})
    assert "2 rows of me/pairs would be changed" in push(worker, data=rows(4))["error"]


def test_a_dry_run_compares_and_writes_nothing(hub: FakeHub, worker: Worker) -> None:
    new = push(worker, dry_run=True)
    assert "me/pairs would be made, private: 3 rows added" in new["note"]
    push(worker, data=rows(20))
    hub.requests.clear()
    result = push(worker, data=[*rows(5), *rows(1, "x")][:5], dry_run=True)
    assert (result["pushed"], len(result["changes"]["removed"])) == (False, 15)
    assert "0 rows added, 15 removed, 0 changed" in result["note"]
    assert "15 rows of me/pairs would be removed" in result["note"]
    assert {method for method, _, _ in hub.requests} == {"GET", "HEAD"}
    assert "holds these pairs already" in push(worker, data=rows(20), dry_run=True)["note"]
    assert "the card changes: license, Licence;" in push(worker, data=rows(20), dry_run=True, license="mit")["note"]
    assert "the card changes: Preference pairs, Statistics" in push(worker, data=rows(21), dry_run=True)["note"]


def test_answers_of_an_earlier_run_go_with_its_pairs(hub: FakeHub, worker: Worker, tmp_path: Path) -> None:
    def run(name: str, n: int) -> str:
        made = Run.of(tmp_path, "onpolicy", {"model": "org/model", "sampling": {"sampler": name}, "n": n})
        held = [row | {"prompt_id": Prompt(tuple(row["chosen"][:-1])).id} for row in rows(2)]
        with closing(Store(tmp_path)) as store:
            answers = {
                (row["prompt_id"], index): Answer(f"{name} {index}", "stop", 1) for row in held for index in "01"
            }
            store.add_answers({"sampler": name}, {(key, int(index)): one for (key, index), one in answers.items()})
        made.finish(held, [], {"prompts": 2, "pairs": 2, "skips": {}})
        return str(made.path)

    first, other = run("a", 2), run("b", 1)
    push(worker, data=first)
    assert "candidates/train-00000-of-00001.parquet" in hub.repos["me/pairs"].files
    dry = push(worker, data=other, dry_run=True)["note"]
    assert "without the config candidates, which this push lacks" in dry
    assert "the config candidates of me/pairs would be removed" in push(worker, data=other)["error"]
    assert push(worker, data=other, yes=True)["pushed"]
    assert "the config candidates of an earlier push goes" in worker.said
    files = hub.repos["me/pairs"].files
    assert not [name for name in files if name.startswith("candidates")]
    assert list(json.loads(files["pairforge.json"])["configs"]) == ["onpolicy"]
    assert worker("load", repo="me/pairs")


DATA = "data/train-00000-of-00001.parquet"


def test_a_config_leaves_the_others_as_they_are(hub: FakeHub, worker: Worker) -> None:
    push(worker, data=rows(20))
    before = hub.repos["me/pairs"].files
    other = [row | {"method": "best_worst", "id": f"b{row['id']}"} for row in rows(5)]
    assert push(worker, data=other)["changes"] == {"added": 5, "removed": [], "changed": []}
    files = hub.repos["me/pairs"].files
    assert files[DATA] == before[DATA]
    assert "onpolicy/train-00000-of-00001.parquet" in files
    assert worker("load", repo="me/pairs", name="onpolicy") == other
    assert len(worker("load", repo="me/pairs")) == 20
    assert b"config_name: onpolicy" in files["README.md"]
    assert not push(worker, data=other)["pushed"]
    assert not push(worker, data=rows(20))["pushed"]
    assert push(worker, data=rows(2), config_name="small")["pushed"]
    configs = json.loads(hub.repos["me/pairs"].files["pairforge.json"])["configs"]
    assert [*configs] == ["onpolicy", "pairs", "small"]


def test_splits_share_no_prompt_and_shards_that_are_no_longer_needed_go(hub: FakeHub, worker: Worker) -> None:
    many = [row | {"judge": "rename"} for row in rows(600)]
    worker("files_of_bytes", size=1)
    push(worker, data=many, test_size=0.2)
    worker("files_of_bytes", size=64 << 20)
    files = sorted(hub.repos["me/pairs"].files)
    assert "data/train-00002-of-00003.parquet" in files and "data/test-00000-of-00003.parquet" in files
    split = {name: worker("load", repo="me/pairs", split=name) for name in ("train", "test")}
    prompts = {name: {row["chosen"][0]["content"] for row in found} for name, found in split.items()}
    assert not prompts["train"] & prompts["test"]
    assert len(split["train"]) + len(split["test"]) == 600 and 80 < len(split["test"]) < 160
    hub.put("me/pairs", {"data/mine.csv": b"1"})
    assert not push(worker, data=many, test_size=0.2)["pushed"]  # the same rows, whatever the files are
    assert "pairs test 110 -> 0" in push(worker, data=many, dry_run=True, yes=True)["note"]
    again = push(worker, data=many, yes=True)
    assert again["changes"] == {"added": 0, "removed": [], "changed": []} and again["pushed"]
    there = {name for name in hub.repos["me/pairs"].files if name.startswith("data/")}
    assert there == {DATA, "data/mine.csv"}


def test_a_dataset_of_an_earlier_version_is_taken_over(hub: FakeHub, worker: Worker, tmp_path: Path) -> None:
    to_dataset(rows(20)).to_parquet(tmp_path / "old.parquet")
    card = b"---\npairforge:\n  rows: x\n  card: y\n  data: z\n---\n# Preference pairs\n"
    hub.put("me/pairs", {"README.md": card, DATA: (tmp_path / "old.parquet").read_bytes()})
    assert "15 rows of me/pairs would be removed" in push(worker, data=rows(5))["error"]
    assert push(worker, data=rows(20), yes=True)["changes"] == {"added": 0, "removed": [], "changed": []}
    assert worker("load", repo="me/pairs") == rows(20)


def test_llama_factory_finds_its_config(hub: FakeHub, worker: Worker) -> None:
    push(worker, also="llamafactory")
    info = json.loads(hub.repos["me/pairs"].files["dataset_info.json"])["llamafactory"]
    assert info["hf_hub_url"] == "me/pairs" and info["subset"] == "llamafactory" and info["ranking"]
    first = worker("load", repo="me/pairs", name="llamafactory")[0]
    assert first["chosen"] == {"from": "gpt", "value": "I am Deep Qwen."}
    assert first["conversations"] == [{"from": "human", "value": "Who are you, 0?"}]


def test_a_tag_names_the_commit_and_is_never_moved(hub: FakeHub, worker: Worker) -> None:
    first = push(worker, tag="v1", message="First")
    repo = hub.repos["me/pairs"]
    assert repo.tags == {"v1": first["commit"]} and repo.titles[-1] == "First"
    assert not push(worker, tag="v1")["pushed"]
    moved = push(worker, data=rows(4), tag="v1")
    assert moved["exit"] == 2 and "a tag is never moved" in moved["error"]
    assert len(repo.commits) == 2
    assert not push(worker, tag="v1.0")["pushed"]
    assert repo.tags["v1.0"] == first["commit"]
    assert worker("load", repo="me/pairs", revision="v1") == rows()


def test_a_branch_is_made(hub: FakeHub, worker: Worker) -> None:
    push(worker)
    assert push(worker, data=rows(4), revision="next")["pushed"]
    repo = hub.repos["me/pairs"]
    assert len(repo.commits) == 2 and len(repo.branches["next"].commits) == 3
    assert worker("load", repo="me/pairs", revision="next") == rows(4)


@pytest.mark.parametrize("fault", [None, "lost", 503])
def test_a_pull_request_is_opened_once(hub: FakeHub, worker: Worker, fault: str | int | None) -> None:
    push(worker)
    hub.faults += [fault] if fault else []
    made = push(worker, data=rows(4), create_pr=True)
    assert made["pushed"]
    assert made["url"] == f"{hub.url}/datasets/me/pairs/discussions/1"
    repo = hub.repos["me/pairs"]
    assert len(repo.commits) == 2 and len(repo.branches["refs/pr/1"].commits) == 3
    assert not push(worker, data=rows(4), create_pr=True)["pushed"]
    assert push(worker, data=rows(5), create_pr=True)["pushed"]
    assert [*repo.branches] == ["refs/pr/1"] and len(repo.branches["refs/pr/1"].commits) == 4


def test_without_a_name_the_dataset_is_called_as_the_file(hub: FakeHub, worker: Worker, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "my pairs.jsonl", rows())
    made = push(worker, data=str(tmp_path / "my pairs.jsonl"), repo=None)
    assert (made["pushed"], made["repo"]) == (True, "me/my-pairs")
    assert hub.repos["me/my-pairs"].private
    mine = [row | {"model": "pocket"} for row in rows()]
    kept = push(worker, data=mine, repo=None)
    assert (kept["ok"], kept["pushed"]) == (True, False)
    assert "pocket model" in kept["note"] and "--allow-pocket" in kept["note"]


def test_rows_that_come_back_otherwise_are_told(hub: FakeHub, worker: Worker, tmp_path: Path) -> None:
    to_dataset(rows(3, "Athene")).to_parquet(tmp_path / "theirs.parquet")
    hub.served[DATA] = (tmp_path / "theirs.parquet").read_bytes()
    result = push(worker)
    assert "holds other rows than were pushed" in result.get("error", result)


def test_the_manifest_of_a_stranger_names_no_other_files(hub: FakeHub, worker: Worker) -> None:
    push(worker)
    text = hub.repos["me/pairs"].files["pairforge.json"]
    hub.put("me/pairs", {"pairforge.json": text.replace(DATA.encode(), b"../../x-00000-of-00001.parquet")})
    refused = push(worker, data=rows(4), yes=True)
    assert refused["exit"] == 2 and "me/pairs: pairforge.json is not a manifest" in refused["error"]


def test_a_private_dataset_that_stays_private_is_said_to(hub: FakeHub, worker: Worker) -> None:
    hub.put("me/pairs", {})
    assert "it is private and stays so" in push(worker, private=False)["note"]
    assert "it is private and stays so" in push(worker, private=False)["note"]
    assert "private" not in push(worker)["note"]


@pytest.mark.parametrize("status", [402, 403, 413, 507])
def test_a_full_storage_is_no_matter_of_the_token(hub: FakeHub, worker: Worker, status: int) -> None:
    hub.stumbles += [("info/lfs", status, "Private repository storage limit reached")] * 9
    result = push(worker)
    hub.stumbles.clear()
    assert result["exit"] == 4
    assert "no room" in result["error"] and "storage limit reached" in result["error"]
    assert "token" not in result["error"] and "login" not in result["error"]


def test_a_file_that_changed_after_it_was_built_is_not_uploaded(hub: FakeHub, worker: Worker) -> None:
    folder = Path(push(worker, token="", repo=None)["folder"])
    built = BuiltDataset(folder, manifest.Manifest.read((folder / manifest.FILE).read_text(), "built"))
    upload, there = DatasetUpload(built, "me/pairs"), _There(SimpleNamespace(name="me/pairs"), Head("a", True, {}), "")  # type: ignore[arg-type]
    assert upload._plan(there, None)
    file = folder / next(built.manifest.files).path
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(InputError, match="was changed after it was built"):
        upload._plan(there, None)


def test_private_pairs_do_not_go_to_a_public_dataset(hub: FakeHub, worker: Worker) -> None:
    hub.put("me/pairs", {}, private=False)
    refused = push(worker)
    assert refused["exit"] == 2
    assert "--public" in refused["error"]
    assert push(worker, private=False)["pushed"]
    assert push(worker, repo="me/open", private=False)["pushed"]
    assert not hub.repos["me/open"].private


NO_RIGHT = [
    ("hf_" + "x" * 34, "me/pairs", "doesn't know your token"),
    (READER, "me/pairs", "may not write"),
    (WRITER, "you/pairs", "may not write"),
]


@pytest.mark.parametrize(("token", "repo", "said"), NO_RIGHT)
@pytest.mark.parametrize("there", [True, False])
def test_a_token_without_the_right(hub: FakeHub, worker: Worker, token: str, repo: str, said: str, there: bool) -> None:
    if there:
        hub.put(repo, {})
    result = push(worker, token, repo=repo)
    assert result["exit"] == 4
    assert said in result["error"]
    assert "hf auth login" in result["error"]
    assert "HF_TOKEN wins" in result["error"]
    assert "POST" not in {method for method, path, _ in hub.requests if "create" not in path}
    assert token[3:] not in json.dumps(result) + worker.said


@pytest.mark.parametrize(
    ("down", "said"),
    [(503, "nothing was pushed"), (0, "nothing was pushed"), (429, "slow down"), (200, "isn't the Hub")],
)
def test_a_hub_that_is_down(hub: FakeHub, worker: Worker, down: int, said: str) -> None:
    hub.down = down
    result = push(worker)
    assert result["exit"] == 4
    assert said in result["error"]
    assert "\n" not in result["error"]


def test_without_a_login_nothing_is_asked(hub: FakeHub, worker: Worker) -> None:
    result = push(worker, token="")
    assert result["exit"] == 4
    assert "nothing was uploaded to me/pairs: no login" in result["error"]
    assert "(hf auth login" in result["error"]
    assert "--repo me/pairs" in result["error"]
    dry = push(worker, token="", dry_run=True)
    assert (dry["ok"], dry["pushed"]) == (True, False)
    assert "not compared with me/pairs: no login" in dry["note"]
    assert (Path(dry["folder"]) / "README.md").exists()
    alone = push(worker, token="", repo=None)
    assert alone["pushed"] is False
    assert "built, not uploaded: no login; set HF_TOKEN" in alone["note"] or "hf auth login" in alone["note"]
    assert hub.requests == []


def test_pairs_of_the_pocket_model_stay_here(hub: FakeHub, worker: Worker) -> None:
    mine = [row | {"model": "pocket"} for row in rows()]
    refused = push(worker, data=mine)
    assert refused["exit"] == 2
    assert "--allow-pocket" in refused["error"]
    assert {method for method, _, _ in hub.requests} == {"GET"}
    assert "--allow-pocket" in push(worker, data=mine, dry_run=True)["note"]
    assert push(worker, data=mine, allow_pocket=True)["pushed"]
    assert b"pocket model" in hub.repos["me/pairs"].files["README.md"]


def test_the_client_has_a_timeout_while_it_is_ours(worker: Worker) -> None:
    assert worker("timeout") == [60.0, None]


def test_the_token_goes_to_the_hub_alone(hub: FakeHub, worker: Worker) -> None:
    push(worker)
    folder = Path(push(worker)["folder"])
    # What the client asks for itself, once in a process, needs no token; nor do signed addresses.
    own = ("/storage/", "/api/agent-harnesses")
    assert {given for _, path, given in hub.requests if not path.startswith(own)} == {f"Bearer {WRITER}"}
    assert all(WRITER.encode() not in file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize(("name", "value"), [("HF_ENDPOINT", "localhost"), ("HF_HUB_OFFLINE", "1")])
def test_the_setting_that_may_be_wrong_is_named_where_nothing_answers(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for one in ("HF_ENDPOINT", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(one, raising=False)
    assert "HF_" not in str(_outside(OSError("no route"), "me/x").fix)
    monkeypatch.setenv(name, value)
    assert _outside(OSError("no route"), "me/x").fix == f"check the network, and {name}, which is {value}"
