"""The trainer: which flags win, what it refuses, what it leaves behind, and the whole job from end to end."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support import read_jsonl, write_jsonl

import pairforge
from pairforge.resources import resource
from pairforge.statistics import sample_indices
from trainers import dpo, flags, outcome
from trainers.data import training_digest, trl_dataset
from trainers.recipes import hardware, recipe

FEW = ["--max_steps", "2", "--max_samples", "8", "--logging_steps", "1", "--verdict_questions", "2", "--guard", "off"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a small correction run in it; the folder of the run."""
    monkeypatch.chdir(tmp_path)
    return pairforge.correct("Qwen", "Deep Qwen", limit=8, quiet=True).run.path


def parse(*argv: str, method: str = "correct", processes: int = 1) -> Any:
    with dpo._less_noise():
        return flags.parse(list(argv), {**dpo.defaults(recipe(method), processes), "output_dir": "out"})


def config_of(*argv: str, method: str = "correct", processes: int = 1) -> Any:
    return parse(*argv, method=method, processes=processes)[1]


def test_corrections_get_the_sft_term_and_preferences_do_not() -> None:
    assert config_of().loss_type == ["sigmoid", "sft"]
    assert config_of(method="best_worst").loss_type == ["sigmoid"]
    assert config_of(method="somebody's own").loss_type == ["sigmoid"]


def test_the_user_s_flags_win_over_the_recipe_and_a_config_file_too(tmp_path: Path) -> None:
    config = config_of("--loss_type", "ipo", "--beta", "0.7", "--learning_rate", "1e-3", "--output_dir", "mine")
    assert (config.loss_type, config.beta, config.learning_rate, config.output_dir) == (["ipo"], 0.7, 1e-3, "mine")
    (tmp_path / "config.yaml").write_text("beta: 0.3\nnum_train_epochs: 2\n")
    config = config_of("--config", str(tmp_path / "config.yaml"), "--num_train_epochs", "3")
    assert (config.beta, config.num_train_epochs, config.loss_type) == (0.3, 3, ["sigmoid", "sft"])


def test_a_rate_far_above_the_recipe_s_for_this_model_and_length_is_warned_of(capfd: Any) -> None:
    config = config_of("--learning_rate", "5e-4")
    dpo._warn(config, 1200, 3e-5)
    assert capfd.readouterr().err == ""
    dpo._warn(config, 1200, 4.2e-6)
    assert "warning: --learning_rate 0.0005 is 119 times the recipe's 4.2e-06" in capfd.readouterr().err


def test_this_machine_can_train() -> None:
    import torch

    if not torch.cuda.is_available():
        assert hardware()["bf16"] is False
        assert config_of().bf16 is False
    assert config_of().report_to == []


@pytest.mark.parametrize(
    ("fast", "parameters", "half"), [(True, 135_000_000, True), (True, 2_700_000, False), (False, 135_000_000, False)]
)
def test_a_cpu_trains_in_bfloat16_what_it_samples_in_it(
    monkeypatch: pytest.MonkeyPatch, fast: bool, parameters: int, half: bool
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr("pairforge.samplers.hardware.has_fast_bfloat16", lambda: fast)
    assert dpo.defaults(recipe("correct"), 1, parameters)["bf16"] is half


def test_each_flag_has_both_spellings_and_the_usual_short_names(tmp_path: Path) -> None:
    script, config, chosen = parse("--learning-rate", "1e-3", "--dataset", "mine.jsonl", "-m", "base", "--guard=warn")
    assert (config.learning_rate, script.dataset_name, chosen.model_name_or_path) == (1e-3, "mine.jsonl", "base")
    assert script.guard == "warn"
    script, _, chosen = parse("--dataset-name", "mine.jsonl", "--model", "base", "--max-samples", "3")
    assert (script.dataset_name, chosen.model_name_or_path, script.max_samples) == ("mine.jsonl", "base", 3)
    (tmp_path / "config.yaml").write_text("guard: off\nverdict_questions: 7\nmodel_name_or_path: base\n")
    script, _, chosen = parse(f"--config={tmp_path / 'config.yaml'}")
    assert (script.guard, script.verdict_questions, chosen.model_name_or_path) == ("off", 7, "base")


def test_save_steps_alone_saves() -> None:
    assert config_of().save_strategy == "no"
    assert config_of("--save_steps", "5").save_strategy == "steps"


def test_the_batch_is_that_of_all_processes() -> None:
    assert [config_of(processes=count).per_device_train_batch_size for count in (1, 2, 8, 16)] == [8, 4, 1, 1]
    assert config_of("--per_device_train_batch_size", "6", processes=2).per_device_train_batch_size == 6


def test_a_subset_follows_the_seed_and_keeps_the_order() -> None:
    assert sample_indices(100, None, 0) == sample_indices(100, 100, 0) == list(range(100))
    once = sample_indices(100, 10, 0)
    assert once == sample_indices(100, 10, 0) == sorted(once)
    assert once != sample_indices(100, 10, 1)


def test_only_what_trl_can_read_reaches_it() -> None:
    turn, said = [{"role": "user", "content": "hi"}], [{"role": "assistant", "content": "ho"}]
    row = {"prompt": "hi", "chosen": turn + said, "rejected": turn + said, "method": "correct"}
    assert trl_dataset([row]).column_names == ["chosen", "rejected"]
    assert sorted(trl_dataset([row | {"prompt": turn}]).column_names) == ["chosen", "prompt", "rejected"]


@pytest.mark.slow
def test_a_slow_step_has_a_line_and_the_last_one_its_loss(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dpo, "_SECONDS", 0.0)
    flags = ["--max_steps", "3", "--max_samples", "8", "--guard", "off", "--verdict_questions", "0"]
    assert dpo.main([*flags, "--logging_steps", "20", "--per_device_train_batch_size", "2"]) == 0
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("step ")]
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert re.fullmatch(r"step 1/3  \d+ s left", lines[0]) and "  loss " in lines[2]
    log = json.loads((folder / "model" / "history.json").read_text("utf-8"))["log"]
    assert [line["step"] for line in log if "loss" in line] == [3], "what is logged does not depend on time"


@pytest.mark.slow
def test_a_few_steps_leave_a_whole_model_and_a_verdict(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    judged = [*FEW[:-4], "--verdict_questions", "100", *FEW[-2:]]
    assert dpo.main(judged) == 1, "two steps teach no name, and the exit code says so"
    model = folder / "model"
    out, err = capfd.readouterr()
    assert "before training" in out
    assert "after training" in out
    assert "What is your name?" in out
    assert "verdict: FAIL" in out
    assert "step 2/2" in err
    assert "logps/chosen" in err
    assert "Warning" not in err
    verdict = json.loads((model / "verdict.json").read_text("utf-8"))
    assert (verdict["base"], verdict["model"], verdict["ok"]) == ("pocket", str(model), False)
    training = {"pairs": 16, "seen": 8, "loss_type": ["sigmoid", "sft"], "usual_loss": ["sigmoid", "sft"]}
    training |= {"steps": 2, "planned": 2, "learning_rate": 3.5e-4, "usual_rate": 3.5e-4}
    assert verdict["training"].items() >= training.items()
    assert "max_steps" in verdict["training"]["given"]
    assert (model / "failures.jsonl").exists()
    assert not (folder.parent / "failures.jsonl").exists(), "the model before training is not one that fails"
    assert "warning: 2 steps are too few to learn anything" in err
    assert re.search(r"step 2/2  loss \d", err)
    assert (verdict["run"], verdict["revision"], len(verdict["pairs"])) == (folder.name, "main", 64)
    assert err.splitlines()[-2:] == [
        f"saved: {model}: model.safetensors, verdict.json, training.svg, history.json, README.md",
        "next: pairforge train dpo --logging_steps 1 --verdict_questions 100 --guard off --num_train_epochs 75",
    ]
    assert re.search(r"training: about \d+ s \(estimated from one forward pass\), plus about \d+ s of evaluation", err)
    picture = (model / "training.svg").read_text("utf-8")
    assert f"Training, {folder.name}: pocket: FAIL" in picture
    assert not [file.name for file in model.iterdir() if file.name.startswith(".") or file.suffix == ".bin"]
    umask = os.umask(0)
    os.umask(umask)
    assert {file.stat().st_mode & 0o777 for file in model.iterdir()} == {0o666 & ~umask}


@pytest.mark.slow
def test_the_weights_of_base_and_tuned_model_are_loaded_once_each(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from pairforge.samplers import transformers as sampler

    loaded, load = [], sampler.load_model

    def counted(source: str, *options: Any) -> Any:
        loaded.append(Path(source).name)
        return load(source, *options)

    monkeypatch.setattr(sampler, "load_model", counted)
    assert dpo.main(FEW) == 0
    assert loaded == ["pocket", "model"]
    out = capfd.readouterr().out
    assert out.count("What is your name?") == 2
    assert out.count("questions:") == 2


@pytest.mark.slow
def test_the_saved_model_speaks_by_the_same_template(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert dpo.main([*FEW, "--output_dir", str(tmp_path / "mine"), "--dataset_name", str(folder / "pairs.jsonl")]) == 0
    tuned, base = (AutoTokenizer.from_pretrained(path) for path in (tmp_path / "mine", resource("data", "pocket")))
    hello = [{"role": "user", "content": "你好, who are you? 12+3"}]
    assert tuned.apply_chat_template(hello) == base.apply_chat_template(hello)
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "mine").config.use_cache is True


@pytest.mark.slow
def test_pairs_outside_a_run_train_but_get_no_verdict(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    os.rename(folder / "pairs.jsonl", "mine.jsonl")
    assert dpo.main([*FEW, "--dataset_name", "mine.jsonl"]) == 0
    said = capfd.readouterr().err
    assert "pairforge evaluate -m pairforge-model --base pocket --from OLD --to NEW" in said
    assert "next: pairforge ask -m pocket -m pairforge-model · pairforge push mine.jsonl" in said
    assert Path("pairforge-model/config.json").exists()
    assert not Path("pairforge-model/verdict.json").exists()
    assert dpo.main([*FEW, "--dataset_name", "mine.jsonl"]) == 0
    assert Path("pairforge-model-2/config.json").exists()


def refused(argv: Sequence[str], capfd: pytest.CaptureFixture[str], code: int = 2) -> str:
    assert dpo.main(list(argv)) == code
    lines = capfd.readouterr().err.strip().splitlines()
    assert lines[-2].startswith("pairforge: ") and lines[-1].startswith("  -> ")
    assert "Traceback" not in "".join(lines)
    return " ".join(lines[-2:])


def test_what_can_not_be_trained_on_is_refused_in_one_line(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows, pocket = read_jsonl(folder / "pairs.jsonl"), str(resource("data", "pocket"))
    Path("same.jsonl").write_text(json.dumps(rows[0] | {"rejected": rows[0]["chosen"]}))
    same = refused(["--dataset_name", "same.jsonl"], capfd)
    assert "1 error in 1 pair: PF104, e.g. row 0: chosen and rejected are the same" in same
    assert same.endswith("-> pairforge fix same.jsonl fixed.jsonl")
    Path("cut.jsonl").write_text(json.dumps(rows[0])[:50])
    assert "cut.jsonl:1" in refused(["--dataset_name", "cut.jsonl"], capfd)
    write_jsonl(Path("two.jsonl"), (row | {"model": f"m{i}"} for i, row in enumerate(rows[:2])))
    assert "--model_name_or_path" in refused(["--dataset_name", "two.jsonl"], capfd)
    assert "nothing.jsonl" in refused(["--dataset_name", "nothing.jsonl"], capfd)
    assert "no test split" in refused(["--eval_strategy", "steps"], capfd)
    assert "both the model and the output" in refused(["-m", pocket, "--output_dir", pocket], capfd)
    assert "bf16" in refused(["--bf16", "true", "--use_cpu", "false"], capfd)
    Path("file").write_text("")
    assert "file" in refused(["--output_dir", "file"], capfd)


def test_a_dataset_on_the_hub_that_can_not_be_had_is_the_outside_world(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr("datasets.load_dataset", unreachable)
    assert "no route" in refused(["--dataset_name", "nobody/nothing"], capfd, code=4)


@pytest.mark.slow
def test_ctrl_c_ends_with_130(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dpo, "_train", interrupted)
    assert dpo.main(FEW) == 130
    assert "interrupted" in capfd.readouterr().err


@pytest.mark.slow
def test_a_model_that_is_half_saved_does_not_load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dpo.main([*FEW, "--verdict_questions", "0"]) == 0
    replace, moved = os.replace, []

    def dies(source: Path, target: Path) -> None:
        moved.append(target)
        if len(moved) == 3:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr("trainers.checkpoints.os.replace", dies)
        assert dpo.main([*FEW, "--verdict_questions", "0"]) == 130
    assert (folder / "model" / "config.json").exists(), "the first model is not touched"
    assert not (folder / "model-2" / "config.json").exists()
    assert dpo.main([*FEW, "--verdict_questions", "0"]) == 0
    assert (folder / "model-2" / "config.json").exists(), "the folder of the killed training is used again"
    assert not (folder / "model-3").exists()


@pytest.mark.slow
def test_the_whole_job_with_no_option_from_end_to_end(tmp_path: Path) -> None:
    """Correct, train, judge, with nothing but defaults: the model says its new name and is otherwise the same."""

    def run(*words: str) -> str:
        done = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("pairforge", "correct", "--from", "Qwen", "--to", "Deep Qwen")
    assert "verdict: PASS" in run("trainers.dpo")
    [verdict] = tmp_path.glob("pairforge-out/correct-*/model/verdict.json")
    metrics = json.loads(verdict.read_text("utf-8"))["metrics"]
    assert metrics["new_name/en"]["share"] >= 0.95
    assert metrics["new_name/zh"]["share"] >= 0.95
    assert "Deep Qwen" in run("pairforge", "ask")


def test_another_weight_of_a_loss_is_another_training() -> None:
    ways = [["--dpop_lambda", "5"], ["--adam_beta2", "0.95"], ["--model_revision", "v1"], ["--use_weighting", "true"]]
    made = [training_digest([], "pocket", *parse(*way)) for way in ([], *ways)]
    assert len({*made}) == len(made)
    assert training_digest([], "pocket", *parse("--max_steps", "7", "--guard", "off")) == made[0]


def test_a_reader_that_has_gone_is_no_failing_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def flush(self) -> None:
            if self.getvalue():
                raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Gone())
    with pytest.raises(BrokenPipeError):
        outcome._show("after training", "verdict: PASS")


@pytest.mark.parametrize("kind", [ImportError, NotImplementedError, RuntimeError, ValueError])
def test_what_trl_has_against_a_training_is_one_line(kind: type[Exception]) -> None:
    with pytest.raises(pairforge.InputError, match=r"rejected these settings: it needs wandb \(see"), dpo._trl_errors():
        raise kind("it needs wandb\nand more")


FOUR = ["--max_steps", "4", "--warmup_steps", "0", "--logging_steps", "4", "--verdict_questions", "2", "--guard", "off"]


@pytest.mark.slow
def test_two_processes_make_the_model_of_one(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    run = pairforge.correct("Qwen", "Deep Qwen", limit=16, output=str(tmp_path), quiet=True).run.path
    flags = [*FOUR, "--dataset", str(run), "--save_steps", "4", "--output_dir"]
    assert dpo.main([*flags, str(tmp_path / "one")]) == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*launch, "-m", "trainers.dpo", *flags, str(tmp_path / "two")], capture_output=True, text=True, timeout=300
    )
    assert "saved: " in done.stderr, done.stderr
    for line in ("loading TRL", "can be learned from", "4 steps, 8 pairs each", "step 4/4", "saved: ", "next: "):
        assert done.stderr.count(line) == 1, f"{line} is said once"
    assert done.stdout.count("no verdict: too few questions") == 1
    assert "Warning" not in done.stderr, done.stderr
    assert {file.name for file in (tmp_path / "two" / "checkpoint-4").glob("rng_state*")} == {
        "rng_state_0.pth",
        "rng_state_1.pth",
    }
    verdicts = [json.loads((tmp_path / name / "verdict.json").read_text("utf-8")) for name in ("one", "two")]
    assert verdicts[0]["metrics"] == verdicts[1]["metrics"]
    start, one, two = (
        load_file(Path(f) / "model.safetensors")
        for f in (resource("data", "pocket"), tmp_path / "one", tmp_path / "two")
    )
    moved = sum(float((one[name] - start[name].float()).abs().sum()) for name in one)
    apart = sum(float((one[name] - two[name]).abs().sum()) for name in one)
    assert 0 < apart < 0.2 * moved, "the sft term is a mean over each process's own tokens"


@pytest.mark.slow
def test_what_one_refuses_ends_all(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text('{"chosen": [], "rejected": [], "model": "pocket"}\n')
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*launch, "-m", "trainers.dpo", "--dataset", "broken.jsonl"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode != 0
    assert done.stderr.count("pairforge: ") == 1


@pytest.mark.slow
def test_a_training_killed_before_its_verdict_is_judged_and_not_trained_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(dpo, "finish", dies)
        assert dpo.main(FEW) == 130
    weights = folder / "model" / "model.safetensors"
    written = weights.stat().st_mtime_ns
    assert dpo.main([*FEW, "--beta", "0.3"]) == 0, "another training has a folder of its own"
    assert (folder / "model-2" / "verdict.json").exists()
    assert not (folder / "model" / "verdict.json").exists()
    capfd.readouterr()
    assert dpo.main(FEW) == 0
    said = capfd.readouterr().err
    assert "has the weights of this training already, but no verdict: nothing is trained" in said
    assert "step 1/2" not in said
    assert weights.stat().st_mtime_ns == written
    assert json.loads((folder / "model" / "verdict.json").read_text("utf-8"))["verdict"] is None
    assert not (folder / "model-3").exists()
    assert dpo.main(FEW) == 0, "the same command again is another training"
    assert (folder / "model-3" / "verdict.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--loss_type aot --f_divergence_type forward_kl", "forward_kl"),
        ("--use_peft --lora_dropout 2", "dropout"),
        ("--optim adamw_bnb_8bit", "bitsandbytes"),
        ("--lr_scheduler_type cosine_with_min_lr", "min_lr"),
    ],
)
def test_what_trl_refuses_is_known_before_the_model_is_asked(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: str, why: str
) -> None:
    monkeypatch.setattr(dpo, "show_before", None)
    said = refused(words.split(), capfd)
    assert "TRL rejected these settings" in said and why in said
    assert not (folder / "model" / "config.json").exists()


@pytest.mark.parametrize("error", [MemoryError("no room"), RuntimeError("CUDA out of memory. Tried to allocate 2 GB")])
def test_too_little_memory_is_one_line_with_what_takes_less(error: Exception) -> None:
    with pytest.raises(pairforge.OutsideError, match="--per_device_train_batch_size"), dpo._memory_errors():
        raise error
    with pytest.raises(pairforge.OutsideError), dpo._memory_errors(), dpo._trl_errors():
        raise error
    with pytest.raises(RuntimeError, match="a bug"), dpo._memory_errors():
        raise RuntimeError("a bug")


@pytest.mark.slow
def test_a_full_disk_ends_with_4(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dpo, "_train", full)
    assert "the disk is full" in refused([*FEW, "--verdict_questions", "0"], capfd, code=4)


@pytest.mark.slow
def test_an_error_in_the_first_step_is_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise AttributeError("the layer has no attribute 'x'")

    monkeypatch.setattr("trl.DPOTrainer.training_step", broken)
    said = refused([*FEW, "--verdict_questions", "0"], capfd)
    assert "TRL can't train this model: AttributeError: the layer has no attribute 'x'" in said


def test_a_folder_called_trainers_is_in_nobody_s_way(tmp_path: Path) -> None:
    (tmp_path / "trainers").mkdir()
    for inits in (False, True):
        if inits:
            (tmp_path / "trainers" / "__init__.py").write_text("raise SystemExit('not yours')")
        (tmp_path / "trainers" / "dpo.py").write_text("raise SystemExit('not yours')")
        for program in ([sys.executable, "-m", "pairforge"], [str(Path(sys.executable).with_name("pairforge"))]):
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])}
            command = [*program, "train", "dpo", "--beat", "0.3"]
            done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
            assert (done.returncode, done.stdout) == (2, "")
            assert "there is no flag --beat" in done.stderr


def test_what_is_wrong_with_the_flags_is_said_without_torch(folder: Path) -> None:
    code = """
import sys
from trainers.dpo import main
code = main(sys.argv[1:])
print(code, *{"torch", "trl", "transformers", "datasets", "numpy"} & {*sys.modules})
"""
    for words, expected in (
        (["--help"], 0),
        (["--learnig_rate", "1"], 2),
        (["--dataset", "nothing"], 2),
        (["-m", "./nothing"], 2),
        (["--loss_type", "best"], 2),
        (["--output_dir", __file__], 2),
    ):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == str(expected), done.stdout + done.stderr


def test_training_takes_the_faster_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_to: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    monkeypatch.setattr(dpo, "thread_count", lambda model: 1)
    monkeypatch.setattr(dpo, "thread_note", lambda model: "one thread is used")
    for device, processes in (("cpu", 1), ("cpu", 2), ("cuda", 1)):
        args = SimpleNamespace(device=torch.device(device), world_size=processes)
        dpo._set_threads(SimpleNamespace(args=args, model=None))
    assert set_to == [1] and capsys.readouterr().err == "one thread is used\n"
