"""Adapters: the answers are peft's own, and each is named, found and refused by what it is."""

from __future__ import annotations

import builtins
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file
from support import pocket_model, prompt
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertLMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    PreTrainedModel,
)

from pairforge.errors import InputError, OutsideError
from pairforge.prompts import bundled
from pairforge.resources import resource
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.model_loading import (
    load_causal_config,
    load_errors,
    load_model,
    load_tokenizer,
    resolve_model,
)
from pairforge.samplers.transformers import TransformersSampler
from pairforge.types import Answer, Skip

# Between peft and transformers, where these tests make adapters.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


POCKET = str(resource("data", "pocket"))


def test_a_merged_model_beside_the_config_of_its_adapter_is_refused(tmp_path: Path) -> None:
    for name in ("model.safetensors", "adapter_config.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match=r"is a whole model, which .* \(remove .*adapter_config.json\)"):
        resolve_model(str(tmp_path), None, None)


PROMPTS = bundled("identity.eval")[:8]


def base() -> Any:
    return pocket_model()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of the pocket model whose answers are other ones."""
    torch.manual_seed(0)
    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    folder = tmp_path_factory.mktemp("adapters") / "lora"
    get_peft_model(base(), config).save_pretrained(folder)
    return folder


@pytest.fixture
def lora(made: Path, tmp_path: Path) -> Path:
    """A copy, to be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "lora"))


def change(folder: Path, **values: Any) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def sampler(model: str = "pocket", adapter: Path | str | None = None, **more: Any) -> TransformersSampler:
    return TransformersSampler(model, Decoding(max_new_tokens=24), adapter=str(adapter) if adapter else None, **more)


def answers(asked: TransformersSampler) -> list[str]:
    rows = {key: row for batch in asked.sample(PROMPTS, 1, ()) for key, row in batch.items()}
    texts = [rows[prompt.id, 0] for prompt in PROMPTS]
    return [row.text for row in texts if isinstance(row, Answer)]


@pytest.mark.slow
def test_greedy_answers_are_pefts_own(lora: Path) -> None:
    asked = sampler(adapter=lora)
    model, tokenizer = PeftModel.from_pretrained(base(), str(lora)), asked.local.chat.tokenizer
    expected = []
    for one in PROMPTS:
        ids = asked.local.chat.encode(one)
        assert isinstance(ids, list)
        out = model.generate(input_ids=torch.tensor([ids]), max_new_tokens=24, do_sample=False)[0, len(ids) :]
        expected.append(tokenizer.decode(out, skip_special_tokens=True).strip())
    assert answers(asked) == expected != answers(sampler())
    assert asked.warnings == []


def test_the_settings_name_the_adapter_by_content(lora: Path, tmp_path: Path) -> None:
    plain, adapted = sampler().settings(), sampler(adapter=lora).settings()
    assert adapted == {**plain, "adapter": adapted["adapter"]}
    shutil.copytree(lora, tmp_path / "copy")
    assert sampler(adapter=tmp_path / "copy").settings() == adapted
    change(tmp_path / "copy", lora_alpha=99)
    assert sampler(adapter=tmp_path / "copy").settings() != adapted


def test_an_adapter_given_as_the_model_is_put_on_its_base(lora: Path) -> None:
    asked = sampler(str(lora))
    assert asked.settings() == sampler(adapter=lora).settings()
    assert answers(asked) == answers(sampler(adapter=lora))
    assert asked.warnings == [f"{lora} is an adapter: it is applied to {POCKET}"]


def test_an_adapter_is_no_base_of_another(tmp_path: Path) -> None:
    for name, base in (("first", POCKET), ("second", str(tmp_path / "first"))):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}), "utf-8")
        (folder / "adapter_model.safetensors").touch()
    with pytest.raises(InputError, match=r"first is an adapter itself: .*merge it"):
        resolve_model(str(tmp_path / "first"), None, str(tmp_path / "second"))
    with pytest.raises(InputError, match=r"second is an adapter, and its base can't be .*first is an adapter itself"):
        resolve_model(str(tmp_path / "second"), None, None)


def test_adapters_of_the_hub_are_taken_both_ways(lora: Path, on_hub: Callable[[Path, str], Path]) -> None:
    here = answers(sampler(adapter=lora))
    on_hub(lora, "org/lora")
    assert answers(sampler(adapter="org/lora")) == here
    assert answers(sampler("org/lora")) == here


@pytest.mark.parametrize("gone", [None, "", "/nowhere/base"])
def test_an_adapter_whose_base_is_gone_asks_for_one(lora: Path, gone: str | None) -> None:
    change(lora, base_model_name_or_path=gone)
    with pytest.raises(InputError, match=f"-m BASE --adapter {lora}") as caught:
        sampler(str(lora)).settings()
    assert "\n" not in str(caught.value)
    assert answers(sampler(adapter=lora))


def other_rank(folder: Path) -> None:
    change(folder, r=8)


def other_layers(folder: Path) -> None:
    change(folder, target_modules=["q_proj", "v_proj", "k_proj"])


def no_such_layers(folder: Path) -> None:
    change(folder, target_modules=["c_attn"])


def no_json(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{")


def no_config(folder: Path) -> None:
    (folder / "adapter_config.json").unlink()


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def half(folder: Path) -> None:
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    "spoil", [other_rank, other_layers, no_such_layers, no_json, no_config, no_folder, half], ids=lambda it: it.__name__
)
def test_an_adapter_that_does_not_fit_gets_one_line(lora: Path, spoil: Any) -> None:
    spoil(lora)
    with pytest.raises(InputError, match=str(lora)) as caught:
        answers(sampler(adapter=lora))
    assert "\n" not in str(caught.value)


def test_a_prompt_tuning_adapter_is_refused(tmp_path: Path) -> None:
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    get_peft_model(base(), config).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="prompt-tuning"):
        answers(sampler(adapter=tmp_path))


def test_an_adapter_with_more_tokens_than_its_base_is_to_be_merged(tmp_path: Path) -> None:
    grown = base()
    grown.resize_token_embeddings(grown.config.vocab_size + 1, mean_resizing=False)
    adapted = get_peft_model(grown, LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM"))
    adapted.save_pretrained(tmp_path, save_embedding_layers=True)
    with pytest.raises(InputError, match="embeddings of another size than its base") as caught:
        answers(sampler(adapter=tmp_path))
    assert caught.value.fix == "merge it into its base first: see docs/own-model.md"


def test_pickled_adapters_are_read_only_if_allowed(lora: Path) -> None:
    usual = answers(sampler(adapter=lora))
    from safetensors.torch import load_file

    torch.save(load_file(lora / "adapter_model.safetensors"), lora / "adapter_model.bin")
    (lora / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match="--allow-pickle"):
        answers(sampler(adapter=lora))
    assert answers(sampler(adapter=lora, allow_pickle=True)) == usual


def test_without_peft_it_is_asked_for(lora: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "peft":
            raise ModuleNotFoundError("No module named 'peft'", name="peft")
        return usual(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match="pip install peft"):
        answers(sampler(adapter=lora))


GREETINGS = [prompt(text) for text in ("Who are you?", "Hello", "Who made you?")]


SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 50}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the pocket model, to be spoilt."""
    return Path(shutil.copytree(resource("data", "pocket"), tmp_path / "model"))


def change_weights(file: Path, **values: Any) -> None:
    old = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(old | values))


def answers_of(source: str = "pocket", temperature: float = 0.0) -> dict[tuple[str, int], Answer | Skip]:
    sampler = TransformersSampler(source, Decoding(max_new_tokens=24, temperature=temperature))
    return {key: answer for batch in sampler.sample(GREETINGS, 2, ()) for key, answer in batch.items()}


def deeper(folder: Path) -> None:
    change_weights(folder / "config.json", num_hidden_layers=6, layer_types=["full_attention"] * 6)


def uneven(folder: Path) -> None:
    change_weights(folder / "config.json", num_hidden_layers=6, layer_types=["full_attention"])


def wider(folder: Path) -> None:
    change_weights(folder / "config.json", intermediate_size=64)


def half_precision(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def keyless(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    "spoil", [deeper, uneven, wider, half_precision, keyless, without_tokenizer], ids=lambda spoil: spoil.__name__
)
def test_a_spoilt_folder_gets_one_line(
    folder: Path, spoil: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    spoil(folder)
    with pytest.raises(InputError) as caught:
        answers_of(str(folder))
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
    assert "REPORT" not in capfd.readouterr().err


def test_weights_that_are_missing_are_named(folder: Path) -> None:
    deeper(folder)
    with pytest.raises(InputError, match=r"no weights.*model\.layers\.4\."):
        load_model(str(folder), None, torch.float32)


@pytest.mark.parametrize(
    "model",
    [
        BertLMHeadModel(BertConfig(**SMALL)),
        BartForConditionalGeneration(
            BartConfig(vocab_size=50, d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16)
        ),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_is_no_causal_language_model_is_refused(model: PreTrainedModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="not a causal language model"):
        load_model(str(tmp_path), None, torch.float32)


def test_a_decoder_that_does_not_say_so_is_taken(tmp_path: Path) -> None:
    GPTNeoXForCausalLM(GPTNeoXConfig(**SMALL)).save_pretrained(tmp_path)
    assert load_model(str(tmp_path), None, torch.float32).config.is_decoder is False


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    "settings",
    [
        {"num_beams": 2},
        {"num_return_sequences": 2},
        {"num_beams": 2, "num_return_sequences": 3, "do_sample": False, "temperature": 0.7},
        {"do_sample": True, "top_k": 1, "top_p": 0.1, "temperature": 0.01, "min_p": 0.9, "typical_p": 0.1},
        {"repetition_penalty": 9.0, "no_repeat_ngram_size": 1, "min_new_tokens": 20, "suppress_tokens": [5, 6, 7]},
        {"forced_bos_token_id": 5, "forced_eos_token_id": 6, "bad_words_ids": [[7]], "max_length": 3},
        {"max_new_tokens": -1, "cache_implementation": "nonesuch", "return_dict_in_generate": True},
        {"stop_strings": ["a"], "guidance_scale": 3.0, "output_scores": True, "prompt_lookup_num_tokens": 3},
    ],
)
def test_generation_settings_of_the_model_change_nothing(
    folder: Path, settings: dict[str, Any], temperature: float, capfd: pytest.CaptureFixture[str]
) -> None:
    usual = answers_of(temperature=temperature)
    change_weights(folder / "generation_config.json", **settings)
    capfd.readouterr()
    assert answers_of(str(folder), temperature) == usual
    assert "[transformers]" not in capfd.readouterr().err


def test_end_tokens_are_read_from_the_generation_settings_else_the_config(folder: Path) -> None:
    file = folder / "generation_config.json"
    change_weights(file, eos_token_id=[7, 8], num_return_sequences=2)
    assert load_model(str(folder), None, torch.float32).generation_config.eos_token_id == [7, 8]
    config = json.loads((folder / "config.json").read_text())
    for write in (lambda: file.write_text("{"), file.unlink):
        write()
        model = load_model(str(folder), None, torch.float32)
        assert model.generation_config.eos_token_id == [config["eos_token_id"]]


def pickled(folder: Path, **more: Any) -> None:
    """Puts pytorch_model.bin in the place of the safetensors."""
    weights = {**load_file(folder / "model.safetensors"), **more}
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def test_pickled_weights_are_read_only_if_allowed(folder: Path) -> None:
    usual = answers_of()
    pickled(folder)
    with pytest.raises(InputError, match="--allow-pickle") as caught:
        answers_of(str(folder))
    assert "\n" not in str(caught.value)
    sampler = TransformersSampler(str(folder), Decoding(max_new_tokens=24), allow_pickle=True)
    assert {key: answer for batch in sampler.sample(GREETINGS, 2, ()) for key, answer in batch.items()} == usual
    old = sampler.settings()
    (folder / "pytorch_model.bin").write_bytes(b"other")
    assert TransformersSampler(str(folder), Decoding(max_new_tokens=24)).settings() != old


class Hostile:
    """Leaves a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_allowed_pickles_run_no_code(folder: Path, tmp_path: Path) -> None:
    pickled(folder, hostile=Hostile(tmp_path / "mark"))
    with pytest.raises(InputError) as caught:
        load_model(str(folder), None, torch.float32, allow_pickle=True)
    assert "\n" not in str(caught.value) and not (tmp_path / "mark").exists()


def test_a_hub_model_is_known_by_its_commit(folder: Path, on_hub: Callable[[Path, str], Path]) -> None:
    snapshot = on_hub(folder, "org/chat")
    sampler = TransformersSampler("org/chat", Decoding(max_new_tokens=24))
    assert sampler.settings()["model"] == snapshot.name
    made = {key: answer for batch in sampler.sample(GREETINGS, 2, ()) for key, answer in batch.items()}
    assert made == answers_of()
    pickled(snapshot)
    with pytest.raises(InputError, match="--allow-pickle"):
        answers_of("org/chat")


def test_a_repetition_penalty_that_is_not_used_is_told_of(folder: Path) -> None:
    change_weights(folder / "generation_config.json", repetition_penalty=1.1)
    sampler = TransformersSampler(str(folder), Decoding(max_new_tokens=4))
    list(sampler.sample(GREETINGS, 1, ()))
    assert len(sampler.warnings) == 1 and "repetition penalty of 1.1" in sampler.warnings[0]


def test_what_memory_does_not_hold_is_said_to_be_outside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", fail)
    with pytest.raises(OutsideError, match="not enough memory"):
        load_tokenizer(str(folder), None)


@pytest.mark.parametrize(
    ("raised", "kind", "says"),
    [
        ("The checkpoint has model type `qwen9` but Transformers does not", InputError, "of the type qwen9.*--upgrade"),
        (
            "The repository contains custom code which must",
            InputError,
            "Python code of its own.*--base-url",
        ),
        ("We couldn't connect to 'https://huggingface.co' to load", OutsideError, "the Hub can't be reached.*network"),
    ],
)
def test_what_the_library_says_is_said_in_one_line(raised: str, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says), load_errors("some/model"):
        raise OSError(raised)


def test_a_model_of_images_and_text_is_refused_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2_5_vl"}))
    with pytest.raises(InputError, match=r"is a model of images and text \(qwen2_5_vl\)"):
        load_causal_config(str(tmp_path), None)
