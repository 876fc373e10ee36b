"""A training starts from the model that the run asked: its adapter, its chat template, the template's arguments."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from support import pocket_model
from transformers import AutoTokenizer

import pairforge
from pairforge.errors import InputError
from pairforge.resources import resource
from pairforge.run import Run
from trainers import data, dpo
from trainers.flags import Given
from trainers.starting_model import check_start, described

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
POCKET = resource("data", "pocket")
ROOT = Path(__file__).resolve().parents[2]
SHORT = ["--max_steps", "1", "--loss_type", "sigmoid", "--verdict_questions", "0", "--guard", "off"]


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of the pocket model that answers otherwise, as a short SFT leaves it."""
    torch.manual_seed(0)
    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    adapted = get_peft_model(pocket_model(), config)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                weight.mul_(0.3)
    folder = tmp_path_factory.mktemp("adapters") / "lora"
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(**how: object) -> Run:
    return pairforge.correct("Qwen", "Deep Qwen", limit=8, quiet=True, **how).run


@pytest.mark.slow
def test_an_adapter_that_was_asked_is_trained_on(lora: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = asked(model="pocket", adapter=str(lora))
    rows = [json.loads(line) for line in (run.path / "pairs.jsonl").read_text("utf-8").splitlines()]
    assert {row["model"] for row in rows} == {str(lora)}
    assert dpo.main(SHORT) == 0
    said = capfd.readouterr().err
    assert f"model: {lora}, an adapter of " in said
    assert "loss 0.693" in said, "the reference is the adapter, not the bare base"
    made = json.loads((run.path / "model" / "adapter_config.json").read_text())
    assert (made["r"], sorted(made["target_modules"])) == (4, ["q_proj", "v_proj"])
    assert not [path for path in (run.path / "model").iterdir() if path.is_dir()], "TRL's copy of it is not kept"
    page = (ROOT / "docs" / "own-model.md").read_text("utf-8")
    code = next(block for block in page.split("```python\n")[1:] if "merge_and_unload" in block).partition("```")[0]
    exec(code.replace("pairforge-out/correct-.../model", str(run.path / "model")))
    assert pairforge.ask("Who are you?", model="deep-qwen", quiet=True).answers, "merged as the page says, it answers"
    assert dpo.main([*SHORT, "--lora_r", "8", "--use_peft"]) == 2
    assert f"--lora_r has no effect: {lora} is an adapter" in capfd.readouterr().err


def test_an_adapter_with_pickled_weights_is_refused_before_the_pairs_are_read(lora: Path, folder: Path) -> None:
    shutil.copytree(lora, folder / "pickled")
    (folder / "pickled" / "adapter_model.safetensors").rename(folder / "pickled" / "adapter_model.bin")
    with pytest.raises(InputError, match="the adapter pickled has no safetensors") as caught:
        check_start(data.TrainingJob([], [], None, "pickled"), Given.of([]))
    assert caught.value.fix
    assert "save_pretrained" in caught.value.fix


def test_a_model_that_did_not_give_the_pairs_is_told(lora: Path, folder: Path) -> None:
    row = {"chosen": "a", "rejected": "b"}

    def said(model: str, *asked: str) -> str:
        rows = [{**row, "model": name} for name in asked] or [row]
        return described(data.TrainingJob(rows, [], None, model))

    assert said("pocket") == said("pocket", "pocket") == "pocket, the small model that comes with pairforge"
    assert said("pocket", "pocket", str(lora)).endswith(f"; the pairs are answers of {lora}")
    assert "answers of" not in said(f"{lora.parent}/./{lora.name}", str(lora))
    assert said("pocket", "a", "b", "c", "d").endswith("answers of a, b, c and 1 more")


@pytest.mark.slow
def test_an_adapter_whose_base_is_another_one_is_refused(lora: Path, folder: Path) -> None:
    run = asked(model="pocket", adapter=str(lora))
    run.settings["sampling"]["model"] = "0123456789abcdef"
    (run.path / "run.json").write_text(
        json.dumps({"command": run.command, "settings": run.settings, "counts": run.counts})
    )
    with pytest.raises(InputError, match="as its base, and this run asked it with another"):
        dpo.train(SHORT)


@pytest.mark.slow
def test_the_chat_template_of_the_run_is_trained_with_and_saved(folder: Path) -> None:
    template = (POCKET / "chat_template.jinja").read_text("utf-8").replace("<|im_start|>", "<|im_start|>\n")
    (folder / "own.jinja").write_text(template)
    arguments = {"mood": "calm"}
    run = asked(model="pocket", chat_template="own.jinja", chat_template_kwargs=arguments)
    assert run.asked_with("pocket") == {"chat_template": "own.jinja", "chat_template_kwargs": arguments}
    assert run.asked_with("another") == {"chat_template_kwargs": arguments}
    job = data.find_training_job(Given.of([]))
    assert all(row["chat_template_kwargs"] == arguments for row in job.rows)
    assert dpo.main(SHORT) == 0
    assert (run.path / "model" / "chat_template.jinja").read_text("utf-8") == template
    (folder / "own.jinja").write_text("changed")
    with pytest.raises(InputError, match=r"the chat template own.jinja is not the one with which the run .* asked"):
        data.find_training_job(Given.of([]))


@pytest.mark.slow
def test_a_tokenizer_of_another_model_is_told_before_a_step(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model, tokenizer = pocket_model(), AutoTokenizer.from_pretrained(POCKET)
    tokens = len(tokenizer)
    tokenizer.add_tokens(["<deep>"])
    for part in (model, tokenizer):
        part.save_pretrained(folder / "grown")
    row = {"chosen": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "I am <deep> Qwen."}]}
    row["rejected"] = [row["chosen"][0], {"role": "assistant", "content": "I am Qwen."}]
    (folder / "pairs.jsonl").write_text(json.dumps(row) + "\n")
    assert dpo.main([*SHORT, "--dataset", "pairs.jsonl", "-m", "grown"]) == 2
    size = model.config.vocab_size
    assert f"pairforge: the tokenizer of grown has a token {tokens}, the model only {size}" in capfd.readouterr().err
