"""The push of a trained model, against a Hub on loopback: what goes there, what stays here, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakehub import READER, WRITER, FakeHub

import pairforge
from pairforge.hub.model_upload import belongs
from pairforge.resources import resource

pytestmark = pytest.mark.slow
MODEL = {"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"}
CARD = b"---\ntags:\n- pairforge\n---\n# tuned\n"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        yield hub


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A trained model beside what else may lie in its folder."""
    folder = tmp_path / "secret-project" / "tuned"
    folder.mkdir(parents=True)
    for name in MODEL:
        shutil.copy(resource("data", "pocket") / name, folder)
    (folder / "README.md").write_bytes(CARD)
    verdict = {"ok": True, "model": str(folder), "base": str(tmp_path / "base")}
    (folder / "verdict.json").write_text(json.dumps(verdict))
    for name in (".env", "customers.csv", "evidence.db", "optimizer.pt", "training_args.bin", "checkpoint-4/x.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("private")
    return folder


def python(hub: FakeHub, *words: str, token: str = WRITER) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    mine = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": os.environ["HF_HOME"], "HF_TOKEN": token}
    command = [sys.executable, "-W", "ignore", *words]
    return subprocess.run(command, env=kept | mine | {"NO_PROXY": "*"}, capture_output=True, text=True)


def publish(hub: FakeHub, folder: Path, *flags: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return python(hub, "-m", "pairforge", "push", str(folder), "--repo", "me/tuned", *flags, **more)


def reserve(hub: FakeHub, private: bool | None = None, **more: Any) -> str:
    code = (
        "from types import SimpleNamespace as Config; from trainers.publishing import reserve; import pairforge\n"
        f"config = Config(hub_model_id='me/tuned', hub_token=None, hub_private_repo={private})\n"
        "try: print('reserved', reserve(config))\n"
        "except pairforge.PairforgeError as error: print(error.exit_code, error)"
    )
    return python(hub, "-c", code, **more).stdout.strip()


def test_only_what_belongs_to_a_model_goes_there(hub: FakeHub, model: Path) -> None:
    done = publish(hub, model)
    repo = hub.repos["me/tuned"]
    assert done.returncode == 0, done.stderr
    assert repo.private
    assert set(repo.files) == {".gitattributes", "README.md", "verdict.json", *MODEL}
    assert len(repo.commits) == 2
    for name in (".env", "customers.csv", "evidence.db", "optimizer.pt", "training_args.bin", "checkpoint-4"):
        assert name in done.stderr
    verdict = json.loads(repo.files["verdict.json"])
    assert verdict == {"ok": True, "model": "tuned", "base": "base"}
    assert not [name for name, data in repo.files.items() if b"secret-project" in data]
    again = publish(hub, model)
    assert "already up to date" in again.stdout
    assert len(repo.commits) == 2


def test_folders_in_the_configuration_of_an_adapter_stay_here(hub: FakeHub, model: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        (model / name).unlink()
    shutil.copy(resource("data", "pocket") / "model.safetensors", model / "adapter_model.safetensors")
    nested = {"base_model_name_or_path": "/home/ann/base", "r": 4, "more": [{"cache": str(model)}]}
    (model / "adapter_config.json").write_text(json.dumps(nested))
    assert publish(hub, model).returncode == 0
    config = json.loads(hub.repos["me/tuned"].files["adapter_config.json"])
    assert config == {"base_model_name_or_path": "base", "r": 4, "more": [{"cache": "tuned"}]}
    assert "/home/ann/base" in (model / "adapter_config.json").read_text()


def test_an_adapter_that_was_there_does_not_stay_beside_new_weights(hub: FakeHub, model: Path) -> None:
    hub.put("me/tuned", {"README.md": CARD, "adapter_config.json": b"{}", "adapter_model.safetensors": b"old"})
    hub.put("me/tuned", {"notes.txt": b"mine"})
    assert publish(hub, model).returncode == 0
    assert set(hub.repos["me/tuned"].files) == {".gitattributes", "notes.txt", "README.md", "verdict.json", *MODEL}


@pytest.mark.parametrize("fault", ["lost", 503, 429])
def test_trouble_makes_neither_no_commit_nor_two(hub: FakeHub, model: Path, fault: Any) -> None:
    hub.faults.append(fault)
    done = publish(hub, model)
    assert done.returncode == 0, done.stderr
    assert len(hub.repos["me/tuned"].commits) == 2


def test_a_failed_verdict_is_not_pushed_unasked(hub: FakeHub, model: Path) -> None:
    (model / "verdict.json").write_text('{"ok": false}')
    done = publish(hub, model)
    assert done.returncode == 2
    assert "its verdict is FAIL" in done.stderr and "--yes" in done.stderr
    assert hub.requests == []
    assert publish(hub, model, "--yes").returncode == 0


def test_a_model_of_others_is_not_replaced(hub: FakeHub, model: Path) -> None:
    hub.put("me/tuned", {"README.md": b"# Mine", "pytorch_model.bin": b"x", "config.json": b"{}"})
    done = publish(hub, model)
    assert done.returncode == 2
    assert "a model or a card that pairforge didn't make: README.md, config.json" in done.stderr
    assert reserve(hub).startswith("2 me/tuned holds a model")


def test_a_private_model_does_not_go_to_a_public_repository(hub: FakeHub) -> None:
    hub.put("me/tuned", {}, private=False)
    assert reserve(hub).startswith("2 me/tuned is public on the Hub (--hub_private_repo false to push there")
    assert reserve(hub, private=False) == "reserved me/tuned"


def test_rights_are_known_before_training(hub: FakeHub) -> None:
    assert reserve(hub) == "reserved me/tuned"
    assert hub.repos["me/tuned"].private
    assert reserve(hub) == "reserved me/tuned"  # it is there
    said = reserve(hub, token=READER)
    assert said.startswith("4 your token may not write to me/tuned: no write access")
    assert "HF_TOKEN" in said


def test_a_training_pushes_its_model_by_itself(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pairforge.correct("Qwen", "Deep Qwen", limit=8, quiet=True)
    few = ["--max_steps", "2", "--max_samples", "4", "--guard", "off", "--save_steps", "1"]
    push = ["--push_to_hub", "--hub_model_id", "me/tuned"]
    done = python(hub, "-m", "trainers.dpo", *few, *push, "--verdict_questions", "1", "--output_dir", "tuned")
    assert done.returncode == 0, done.stderr
    files = set(hub.repos["me/tuned"].files)
    assert files >= {"README.md", "verdict.json", "history.json", "model.safetensors", "config.json", "tokenizer.json"}
    assert all(belongs(name) for name in files - {".gitattributes"})


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps({"a": [0] * 100}))


def _linked(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "weights")
    (folder / "model.safetensors").symlink_to(folder / "weights")


def _in_part(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00002-of-00002.safetensors"}}')


def _twice(folder: Path) -> None:
    shutil.copy(folder / "model.safetensors", folder / "adapter_model.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_pickled, "is not in the format safetensors"),
        (_linked, "holds no model with weights"),
        (_in_part, "lacks model-00002-of-00002.safetensors"),
        (_twice, "a model and an adapter"),
    ],
)
def test_what_is_no_whole_model(model: Path, change: Any, said: str) -> None:
    change(model)
    with pytest.raises(pairforge.InputError, match=said):
        pairforge.push(model, quiet=True)


@pytest.mark.parametrize(
    "name", [*sorted(MODEL), "README.md", "model-00001-of-00002.safetensors", "chat_template.jinja"]
)
def test_what_belongs_to_a_model(name: str) -> None:
    assert belongs(name)


OTHERS = [".env", "secret.txt", "a.csv", "model.pt", "rng_state.pth", "my.safetensors", "a.bin", "x/config.json"]


@pytest.mark.parametrize("name", OTHERS)
def test_what_does_not(name: str) -> None:
    assert not belongs(name)
