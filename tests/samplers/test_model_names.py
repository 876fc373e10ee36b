"""A model that isn't there is said before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pairforge.errors import InputError, OutsideError
from pairforge.resources import resource
from pairforge.samplers.model_loading import model_source
from pairforge.samplers.model_names import check_model


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "other", "runs/model", "whole", "lora"):
        Path(name).mkdir(parents=True)
    Path("other/notes.txt").touch()
    Path("runs/model/config.json").write_text("{}")
    Path("whole/config.json").write_text("{}")
    Path("broken").mkdir()
    Path("broken/config.json").write_text("{")
    Path("whole/model.safetensors").touch()
    Path("lora/adapter_config.json").write_text("{}")
    Path("q.txt").touch()
    Path("tiny.gguf").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("", "the name of the model is empty"),
        ("q.txt", "is a file .*-m takes a folder or a Hub id"),
        ("whole/model.safetensors", r"is a file \(-m whole\)"),
        ("tiny.gguf", "is a file .*--base-url"),
        ("empty", "the folder holds nothing .*config.json"),
        ("./other", "the folder holds no config.json"),
        ("runs", "did you mean runs/model"),
        ("broken", "broken/config.json can't be read: Expecting property name"),
        ("./whol", "no model folder ./whol .*did you mean 'whole'"),
        ("/no/such/place", "no model folder /no/such/place"),
        ("a b", "neither a folder nor a Hub id"),
        ("a/b/c", "no model folder a/b/c"),
        ("https://huggingface.co/Qwen/Qwen3-0.6B", "give the id: -m Qwen/Qwen3-0.6B"),
        ("http://localhost:8000/v1", "give a server by --base-url http://localhost:8000/v1"),
        ("pockt", "no such model .*did you mean 'pocket'"),
    ],
)
def test_what_can_not_be_a_model_is_said(model: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_model(model)


def test_offline_a_model_is_there_if_it_is_in_the_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    commit = "a" * 40
    cached = folder / "hub" / "models--Qwen--Qwen2.5-0.5B"
    (cached / "snapshots" / commit).mkdir(parents=True)
    (cached / "snapshots" / commit / "config.json").touch()
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub"))
    check_model("Qwen/Qwen2.5-0.5B")
    with pytest.raises(
        OutsideError, match=r"not in the Hub cache .*HF_HUB_OFFLINE is set.* .*did you mean 'Qwen/Qwen2.5-0.5B'"
    ):
        check_model("Qwen/Qwen2.5-0.5b")
    with pytest.raises(OutsideError, match="at v9: there is no such folder, and it is not in the Hub cache"):
        check_model("Qwen/Qwen2.5-0.5B", "v9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    check_model("any/model")  # the network is not asked


def test_an_adapter_needs_its_own_config() -> None:
    check_model("lora", kind="adapter")
    check_model("lora")
    with pytest.raises(InputError, match=r"--adapter whole: the folder holds no adapter_config.json"):
        check_model("whole", kind="adapter")
    with pytest.raises(InputError, match=r"--adapter q.txt is a file"):
        check_model("q.txt", kind="adapter")


def test_what_is_there_passes_and_nothing_heavy_is_imported() -> None:
    check_model("pocket")
    check_model(str(resource("data", "pocket")))
    code = (
        "import sys\nfrom pairforge.samplers.model_names import check_model\n"
        "try: check_model('./nosuch')\nexcept Exception: pass\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code + "print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert not {"torch", "transformers"} & set(loaded.stdout.split())


def test_a_tilde_is_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    check_model("~/whole")
    assert model_source("~/whole") == str(folder / "whole")
    with pytest.raises(InputError, match="no model folder ~nobody/whole"):
        check_model("~nobody/whole")
