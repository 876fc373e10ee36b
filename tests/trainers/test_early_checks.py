"""What is refused before TRL is imported: each with its cause and its fix, and nothing that would work."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from support import pair

import pairforge
from pairforge.resources import resource
from trainers.data import TrainingJob
from trainers.early_checks import check_flags
from trainers.flags import Given

ROWS = [pair("I am Deep Qwen.", "I am Qwen.", method="correct", model="pocket")]


def check(*words: str) -> None:
    check_flags(Given.of(words), TrainingJob(ROWS, [], None, "pocket", "mine.jsonl"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--loss_type sigmod", "there is no --loss_type sigmod (did you mean 'sigmoid'"),
        ("--loss_type sigmoid sft --loss_weights 1", "--loss_weights has 1, and --loss_type 2: sigmoid sft"),
        ("--loss_type sigmoid --loss_weights x", "--loss_weights x is not a number"),
        ("--loss_weights 1", "--loss_weights has 1, and --loss_type 2: sigmoid sft"),
        ("--lora_r 8", "--lora_r has no effect without --use_peft (add --use_peft)"),
        ("--use_dora", "--use_dora has no effect without --use_peft"),
        ("--load_in_4bit", "--load_in_4bit has no effect without --use_peft"),
        ("--deepspeed nothing.json", "--deepspeed nothing.json: there is no such file"),
        ("--fsdp_config nothing.json", "--fsdp_config nothing.json: there is no such file"),
        ("--resume_from_checkpoint nothing", "can't resume from nothing: no such folder"),
        ("--push_to_hub", "--push_to_hub needs the name of a repository (--hub_model_id OWNER/NAME)"),
        ("--push_to_hub --hub_model_id me/mine/x", "--hub_model_id 'me/mine/x' can't be the id of a repository"),
        ("--num_train_epochs 0", "--num_train_epochs 0 must be above 0"),
        ("--max_steps 0", "--max_steps 0 must be above 0"),
        ("--max_steps -5", "--max_steps -5 must be above 0"),
        ("--per_device_train_batch_size 0", "--per_device_train_batch_size 0 must be at least 1"),
        ("--gradient_accumulation_steps -1", "--gradient_accumulation_steps -1 must be at least 1"),
        ("--learning_rate 0", "--learning_rate 0 must be above 0"),
        ("--learning_rate nan", "--learning_rate nan must be above 0"),
        ("--learning_rate inf", "--learning_rate inf must be above 0"),
        ("--max_length 0", "--max_length 0 must be at least 1"),
        ("--beta -0.1", "--beta -0.1 must be above 0"),
        ("--dpop_lambda 5", "--dpop_lambda has no effect without --loss_type dpop"),
        ("--sweep_only", "--sweep_only has no effect without --sweep"),
        ("--suite ifeval", "--suite has no effect: only pairs of a run get a verdict"),
        ("--verdict_lang en", "--verdict_lang has no effect: only pairs of a run"),
        ("--report_to wandbb", "--report_to wandbb is not a tracker (did you mean 'wandb'"),
    ],
)
def test_what_can_not_work_is_refused(words: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pairforge.InputError) as caught:
        check(*words.split())
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("words", "module"),
    [("--use_peft", "peft"), ("--use_peft --load_in_8bit", "bitsandbytes"), ("--report_to wandb", "wandb")],
)
def test_a_package_that_is_missing_is_named(words: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"peft", "bitsandbytes", "wandb"} - {module}
    monkeypatch.setattr("trainers.early_checks.find_spec", lambda name: "here" if name in known else None)
    with pytest.raises(pairforge.InputError, match=f"needs {module}, which is not installed .pip install {module}"):
        check(*words.split())


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--loss_type dpop sft --loss_weights 1 0.5 --dpop_lambda 5",
        "--loss_weights 1 0.2",
        "--use_peft --lora_r 8",
        "--max_steps 5 --num_train_epochs 0",
        "--max_steps -1",
        "--max_length none",
        "--report_to none",
        "--resume_from_checkpoint auto",
        "--learning_rate 5e-4",
    ],
)
def test_what_works_is_not_refused(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    check(*words.split())
    assert capfd.readouterr().err == ""


def test_a_suite_that_can_not_be_asked_is_said_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, asked = TrainingJob(ROWS, [], tmp_path, "pocket", "mine.jsonl"), Given.of(["--suite", "gsm8k,ifevla"])
    monkeypatch.setattr("pairforge.evaluation.suites.find_spec", lambda name: None)
    with pytest.raises(pairforge.InputError, match=r'--suite gsm8k .* not installed \(pip install "lm-eval\[hf\]"'):
        check_flags(asked, job)
    monkeypatch.setattr("pairforge.evaluation.suites.find_spec", lambda name: "here")
    tasks = SimpleNamespace(TaskManager=lambda: SimpleNamespace(all_tasks=["gsm8k", "ifeval"]))
    monkeypatch.setitem(sys.modules, "lm_eval", SimpleNamespace(tasks=tasks))
    monkeypatch.setitem(sys.modules, "lm_eval.tasks", tasks)
    with pytest.raises(pairforge.InputError, match=r"--suite ifevla: .* no such task \(did you mean 'ifeval'"):
        check_flags(asked, job)


def test_a_model_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("q.txt").write_text("")
    Path("empty").mkdir()
    check_model_of(str(resource("data", "pocket")))
    Path("tuned").mkdir()
    Path("tuned/config.json").write_text("{}")
    for name, said in (
        ("q.txt", "q.txt is a file"),
        ("empty", "the folder holds nothing"),
        ("tuned", "the folder holds no weights"),
        ("./nothing", "no model folder ./nothing"),
        ("pockt", "did you mean 'pocket'"),
    ):
        with pytest.raises(pairforge.InputError) as caught:
            check_model_of(name)
        assert said in str(caught.value)
    with pytest.raises(pairforge.OutsideError, match="HF_HUB_OFFLINE"):
        check_model_of("nobody/nothing")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for answer in (lambda name: True, unreachable):
        monkeypatch.setattr("huggingface_hub.repo_exists", answer)
        check_model_of("nobody/nothing")
    monkeypatch.setattr("huggingface_hub.repo_exists", lambda name: False)
    with pytest.raises(pairforge.OutsideError, match="no model nobody/nothing on the Hub that you may read"):
        check_model_of("nobody/nothing")


def check_model_of(model: str) -> None:
    check_flags(Given.of([]), TrainingJob(ROWS, [], None, model, "mine.jsonl"))


def unreachable(name: str) -> bool:
    raise ConnectionError("no route")


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        ("judge = 3", pairforge.InputError, "is an int, not a function"),
        ("def judge(): pass", pairforge.InputError, "can't be called by pairforge"),
        ("def judge(completions, **_): raise ValueError('no')", pairforge.OutsideError, "raised ValueError('no')"),
    ],
)
def test_a_judge_is_tried_before_the_training(code: str, error: type[Exception], said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(error) as caught:
        check("--judge", f"{tmp_path / 'mine.py'}:judge")
    assert said in str(caught.value)
