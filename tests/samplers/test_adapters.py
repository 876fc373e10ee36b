"""Adapters: the answers are peft's own, and each is named, found and refused by what it is."""

import builtins
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM

from pairforge.errors import InputError
from pairforge.prompts import bundled
from pairforge.resources import resource
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.transformers import TransformersSampler
from pairforge.types import Answer

# Between peft and transformers, where these tests make adapters.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

POCKET = str(resource("data", "pocket"))
PROMPTS = bundled("identity.eval")[:8]


def base() -> Any:
    return AutoModelForCausalLM.from_pretrained(POCKET, dtype=torch.float32)


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
    return TransformersSampler(model, Decoding(24), adapter=str(adapter) if adapter else None, **more)


def answers(asked: TransformersSampler) -> list[str]:
    rows = {key: row for batch in asked.sample(PROMPTS, 1, ()) for key, row in batch.items()}
    texts = [rows[prompt.id, 0] for prompt in PROMPTS]
    return [row.text for row in texts if isinstance(row, Answer)]


def test_greedy_answers_are_pefts_own(lora: Path) -> None:
    asked = sampler(adapter=lora)
    model, tokenizer = PeftModel.from_pretrained(base(), str(lora)), asked._chat.tokenizer
    expected = []
    for prompt in PROMPTS:
        ids = asked._chat.encode(prompt)
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
    assert asked.warnings == [f"{lora} is an adapter: it is put on {POCKET}"]


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
