"""A model that isn't there is said before anything heavy is imported."""

from __future__ import annotations

import json
import shutil
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
    Path("whole/model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    Path("whole/tokenizer.json").touch()
    Path("lora/adapter_config.json").write_text("{}")
    Path("lora/adapter_model.safetensors").touch()
    Path("q.txt").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("", "the name of the model is empty"),
        ("q.txt", "is a file .*-m takes a folder or a Hub id"),
        ("whole/model.safetensors", r"is a file \(-m whole\)"),
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


def pocket_like(name: str, **changes: object) -> Path:
    """Make a folder with the files of the bundled model, some of its settings changed."""
    folder = Path(name)
    folder.mkdir()
    for file in resource("data", "pocket").iterdir():
        if file.suffix in (".json", ".jinja", ".safetensors"):
            shutil.copy(file, folder)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | changes))
    return folder


def damaged(kind: str) -> None:
    folder = pocket_like("bad", **({"is_encoder_decoder": True} if kind == "t5" else {}))
    weights = folder / "model.safetensors"
    if kind == "cut off":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif kind == "pointer":
        weights.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    elif kind == "nonsense":
        weights.write_bytes(b"\xff" * 100)
    elif kind == "a shard is missing":
        names = {"a": "model.safetensors", "b": "model-2.safetensors"}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    elif kind == "no weights":
        weights.unlink()
    elif kind == "no tokenizer":
        for file in folder.glob("tokenizer*"):
            file.unlink()
    elif kind == "a list":
        (folder / "config.json").write_text("[]")
    elif kind == "sentence-transformers":
        (folder / "modules.json").touch()
        (folder / "config.json").write_text('{"architectures": ["BertModel"]}')
    elif kind == "gguf":
        (folder / "config.json").unlink()
        (folder / "model-Q4.gguf").touch()
    elif kind == "diffusers":
        (folder / "config.json").rename(folder / "model_index.json")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("cut off", "bad/model.safetensors is not a whole safetensors file .*download the model again"),
        ("pointer", "bad/model.safetensors is a pointer of Git LFS"),
        ("nonsense", "bad/model.safetensors is not a whole safetensors file"),
        ("a shard is missing", "-m bad: model-2.safetensors of its weights are missing"),
        ("no weights", "-m bad: the folder holds no weights"),
        ("no tokenizer", "-m bad: the folder holds no tokenizer"),
        ("a list", "bad/config.json can't be read: not a JSON object"),
        ("t5", "-m bad is not a causal language model"),
        ("sentence-transformers", "-m bad is a model of sentence-transformers"),
        ("gguf", "-m bad: the folder holds a GGUF file .*name the file: -m bad/model-Q4.gguf"),
        ("diffusers", "-m bad: the folder holds a pipeline of diffusers"),
    ],
)
def test_a_folder_that_can_not_answer_is_refused_before_torch_is_loaded(kind: str, says: str) -> None:
    damaged(kind)
    with pytest.raises(InputError, match=says):
        check_model("bad")


def test_a_whole_model_is_taken_and_an_adapter_needs_its_base() -> None:
    pocket_like("good")
    check_model("good")
    Path("lora/adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "./good"}))
    check_model("lora")
    Path("lora/adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "./gone"}))
    with pytest.raises(InputError, match=r"lora is an adapter, and its base can't be used: no model folder ./gone"):
        check_model("lora")
    Path("lora/adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match=r"lora: the folder holds no adapter_model.safetensors"):
        check_model("lora", kind="adapter")
