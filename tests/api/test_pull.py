"""Pulling from a Hub on loopback: what becomes a run, what is refused, and what is left after a kill."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from fakehub import WRITER, FakeHub
from support import pair

from pairforge import InputError
from pairforge.api.pull import _keep_answers, chosen_config, hub_name
from pairforge.hub.manifest import FILE, Manifest, RowsDigest
from pairforge.run import Run
from pairforge.store import Store
from pairforge.types import Message, Prompt

NAME = "onpolicy-0123456789"
ASKED = Prompt((Message(role="user", content="Who are you?"),))
SETTINGS = {"model": "org/model", "sampling": {"sampler": "x", "n": 2}, "judge": {"judge": "notes.py:f"}, "n": 2}
COUNTS = {"prompts": 4, "contexts": 1, "pairs": 3, "skips": {"tie": 1}}
CANDIDATE: dict[str, Any] = {"prompt_id": ASKED.id, "prompt": [*ASKED.messages], "responses": ["I am B.", "I am A."]}
CANDIDATE |= {"finish": ["stop", "length"], "scores": [1.0, None], "model": "org/model", "judge": "notes.py:f"}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        yield hub


def rows(count: int = 3) -> list[dict[str, Any]]:
    more = {"method": "best_worst", "model": "org/model", "judge": "notes.py:f", "chosen_score": 1.0}
    return [pair("I am B.", "I am A.", f"{n}?", id=f"{n}", prompt_id=f"p{n}", **more) for n in range(count)]


def shard(rows: Sequence[Any]) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


def described(kind: str, files: Mapping[str, bytes], rows: Sequence[Any], **more: Any) -> dict[str, Any]:
    digest = RowsDigest()
    for row in rows:
        digest.add(row)
    listed = [
        {"path": path, "rows": len(rows), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for path, data in files.items()
    ]
    splits = {"train": {"rows": len(rows), "files": listed}}
    return {"kind": kind, "rows": len(rows), "digest": digest.hexdigest(), "splits": splits, "run": NAME} | more


def publish(hub: FakeHub, change: Any = None, made: Sequence[Any] | None = None, repo: str = "me/set") -> None:
    """Put a set of pairs and candidates there, with a manifest that `change` may edit."""
    made = rows() if made is None else made
    files = {f"data/train-{n:05d}-of-00002.parquet": shard(part) for n, part in enumerate((made[:1], made[1:]))}
    beside = {"candidates/train-00000-of-00001.parquet": shard([CANDIDATE])}
    about = {"command": "onpolicy", "argv": ["pairforge", "onpolicy"], "settings": SETTINGS, "counts": COUNTS}
    configs = {"onpolicy": described("pairs", files, made, **about)}
    configs |= {"candidates": described("candidates", beside, [CANDIDATE])}
    manifest: dict[str, Any] = {"pairforge": "0.1.0", "version": 1, "default": "onpolicy", "configs": configs}
    if change:
        change(manifest)
    hub.put(repo, {FILE: json.dumps(manifest).encode(), **files, **beside})


def command(hub: FakeHub, home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    mine = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(home / "hf"), "HF_TOKEN": WRITER}
    return kept | mine | {"NO_PROXY": "*"}


def pull(hub: FakeHub, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "pairforge", "pull", *words)
    return subprocess.run(words, env=command(hub, home), cwd=home, capture_output=True, text=True)


@pytest.mark.slow
def test_a_published_set_becomes_a_run(hub: FakeHub, tmp_path: Path) -> None:
    publish(hub)
    done = pull(hub, tmp_path, "me/set", "--name", "theirs")
    assert done.returncode == 0, done.stderr
    assert "the one that its manifest names" in done.stdout
    assert "scored by notes.py:f: such code is run only where you name it" in done.stdout
    folder = tmp_path / "pairforge-out" / NAME
    run = Run.load(folder)
    assert run.name == "theirs"
    assert run.counts == COUNTS
    assert run.complete
    assert (folder / "pairs.jsonl").read_text() == "".join(json.dumps(row) + "\n" for row in rows())
    assert (folder / FILE).read_bytes() == hub.repos["me/set"].files[FILE]
    store = Store(folder.parent)
    assert [answer.text for answer in store.answers(run.settings["sampling"]).values()] == ["I am B.", "I am A."]
    assert [*store.scores(run.settings["judge"]).values()] == [1.0]
    # Neither its answers nor its pairs are taken for some that were made here.
    assert store.answers(SETTINGS["sampling"]) == store.scores(SETTINGS["judge"]) == {}
    assert Run.of(folder.parent, "onpolicy", SETTINGS, NAME).path.name == f"{NAME}-2"
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = pull(hub, tmp_path, "me/set", "-q")
    assert again.stdout.strip() == f"pairforge-out/{NAME}"
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_scores_of_each_judge_of_a_jury_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "candidates.parquet"
    file.write_bytes(shard([{**CANDIDATE, "scores": None, "judge_scores": [[1.0, 0.0], [0.5, None]]}]))
    judges = [{"judge": "one"}, {"judge": "two"}]
    settings = SETTINGS | {"judge": {"judge": "one + two", "judges": judges, "weights": [1.0, 1.0], "vote": False}}
    (tmp_path / "run").mkdir()
    assert _keep_answers(Run(tmp_path / "run", "onpolicy", settings), [file], "me/set") == 2
    with closing(Store(tmp_path)) as store:
        assert [sorted(store.scores(judge).values()) for judge in judges] == [[0.0, 1.0], [0.5]]


@pytest.mark.slow
def test_a_set_without_a_manifest_becomes_a_run_of_its_pairs(hub: FakeHub, tmp_path: Path) -> None:
    texts = [{"prompt": "Who?", "chosen": "B.", "rejected": "A."}, {"prompt": "Who?", "chosen": "B.", "rejected": None}]
    hub.put("me/plain", {"data/train-00000-of-00001.parquet": shard(texts)})
    done = pull(hub, tmp_path, "me/plain", "--json")
    said = json.loads(done.stdout)
    assert (said["ok"], said["published_digest"], said["counts"]["pairs"]) == (True, None, 1)
    assert sum(said["counts"]["skips"].values()) == 1
    assert json.loads(Path(tmp_path / said["output"]).read_text())["chosen"][-1]["content"] == "B."
    lost = pull(hub, tmp_path, "me/plain:test")
    assert (lost.returncode, len([*(tmp_path / "pairforge-out").iterdir()])) == (2, 1)


def _no(**changes: Any) -> Any:
    return lambda manifest: manifest["configs"]["onpolicy"].update(changes)


def _file(**changes: Any) -> Any:
    def change(manifest: Any) -> None:
        manifest["configs"]["onpolicy"]["splits"]["train"]["files"][0].update(changes)

    return change


WRONG = [
    (_file(path="../../outside-00000-of-00001.parquet"), "is not a manifest: $.configs.onpolicy"),
    (_file(path="data/train-00000-of-00009.parquet"), "is not the file that pairforge.json names"),
    (_file(sha256="0" * 64), "has another SHA-256 than pairforge.json says"),
    (_no(counts={"prompts": 1, "pairs": 3, "skips": []}), "pairforge.json: $.counts.skips"),
    (_no(settings={"model": "m", "rules": ["a"]}), "pairforge.json: $.settings.rules"),
    (lambda manifest: manifest.update(version=2), "was written by a newer pairforge"),
    (lambda manifest: manifest.update(default="x" * 70), "is not a manifest"),
]


@pytest.mark.slow
def test_what_is_wrong_is_one_line_and_leaves_nothing(hub: FakeHub, tmp_path: Path) -> None:
    for number, (change, said) in enumerate(WRONG):
        publish(hub, change, repo=f"me/wrong-{number}")
        done = pull(hub, tmp_path, f"me/wrong-{number}")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 2), done.stderr
        assert said in done.stderr
    hub.put("me/bad", {FILE: b"[" * 100_000})
    assert "pairforge.json is not JSON" in pull(hub, tmp_path, "me/bad").stderr
    none = pull(hub, tmp_path, "me/none")
    assert (none.returncode, "the Hub has no data set me/none that you may read" in none.stderr) == (4, True)
    assert not (tmp_path / "pairforge-out").exists()


@pytest.mark.slow
def test_pairs_that_are_not_those_of_the_manifest_are_told(hub: FakeHub, tmp_path: Path) -> None:
    publish(hub, _no(digest="0" * 64, run="../../x", command="../../y", counts={"pairs": 10**9}))
    done = pull(hub, tmp_path, "me/set")
    assert done.returncode == 1
    assert f"its manifest names another: {'0' * 64}" in done.stdout
    (folder,) = (tmp_path / "pairforge-out").glob("*-*")
    assert (folder.name.partition("-")[0], Run.load(folder).counts["pairs"]) == ("pull", 3)


@pytest.mark.slow
def test_a_killed_pull_leaves_no_half_run(hub: FakeHub, tmp_path: Path) -> None:
    made = rows(30_000)
    publish(hub, _no(counts={}), made)
    out = tmp_path / "pairforge-out" / NAME
    words = [sys.executable, "-m", "pairforge", "pull", "me/set"]
    killed = subprocess.Popen(words, env=command(hub, tmp_path), cwd=tmp_path, stderr=subprocess.DEVNULL)
    while killed.poll() is None and not [*out.glob(".pairs.jsonl.*")]:
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (out / "run.json").exists()
    assert pull(hub, tmp_path, "me/set", "-q").returncode == 0
    assert (out / "pairs.jsonl").read_text() == "".join(json.dumps(row) + "\n" for row in made)
    assert sorted(path.name for path in out.iterdir() if path.name[0] != ".") == [
        "pairforge.json", "pairs.jsonl", "prompts.jsonl", "run.json", "skips.jsonl"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "repo", "behind"),
    [
        ("a/b", "a/b", []),
        ("a/b:test", "a/b", ["test"]),
        ("a/b:c:test", "a/b", ["c", "test"]),
        ("https://huggingface.co/datasets/a/b", "a/b", []),
    ],
)
def test_how_a_data_set_is_named(text: str, repo: str, behind: list[str]) -> None:
    assert hub_name(text) == (repo, behind)


@pytest.mark.parametrize("text", ["../../x", "a", "a/b/c", "a/b@v", "a/b:c:d:e", "/a/b", "a/\x1b[2J"])
def test_what_can_t_be_a_data_set(text: str) -> None:
    with pytest.raises(InputError, match="the data set"):
        hub_name(text)


def test_which_config_is_pulled() -> None:
    def manifest(default: str, **kinds: str) -> Manifest:
        configs = {
            name: described(kind, {"data/train-00000-of-00001.parquet": b""}, []) for name, kind in kinds.items()
        }
        return Manifest.read(json.dumps({"version": 1, "default": default, "configs": configs}), "x")

    both = manifest("b", a="pairs", b="pairs", c="candidates")
    assert chosen_config(both, None, "x") == "b"
    assert chosen_config(both, "a", "x") == "a"
    assert chosen_config(manifest("c", a="pairs", c="candidates"), None, "x") == "a"
    for wanted, said in (("c", "the config c holds candidates, not pairs"), ("d", "the config d is not there")):
        with pytest.raises(InputError, match=said):
            chosen_config(both, wanted, "x")
