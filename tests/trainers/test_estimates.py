"""Before training: the estimates are right, and making them changes nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support import read_jsonl

import pairforge
from pairforge.resources import resource
from trainers import dpo, estimates, flags
from trainers.data import trl_dataset
from trainers.recipes import recipe

POCKET = str(resource("data", "pocket"))
# TRL uses a name that transformers calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing. is deprecated:FutureWarning")
PEAK = """
import sys, threading, time
from trainers import dpo, estimates

peak, reported, watching = 0, estimates.report, True

def watch():
    global peak
    while watching:
        peak = max(peak, estimates.resident())
        time.sleep(0.002)

def report(trainer, done, evaluation):
    parts = estimates.memory(trainer, estimates.BatchLengths.of(trainer).longest)
    print("reported", sum(parts.values()), estimates.resident(), file=sys.stderr)
    threading.Thread(target=watch, daemon=True).start()

dpo.report = report
dpo.main(sys.argv[1:])
print("peak", peak, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("estimates")
    return pairforge.correct("Qwen", "Deep Qwen", limit=12, output=str(folder), quiet=True).run.path


def trainer(run: Path, folder: Path, *argv: str) -> Any:
    from trl import DPOTrainer, get_peft_config

    with dpo._less_noise():
        _, config, chosen = flags.parse(list(argv), {**dpo.defaults(recipe("correct"), 1), "output_dir": str(folder)})
        dpo._set_model_options(config, chosen)
        rows = trl_dataset(pairforge.read_pairs(run))
        return DPOTrainer(POCKET, args=config, train_dataset=rows, peft_config=get_peft_config(chosen))


def saved_bytes(trainer: Any, pairs: list[int]) -> int:
    """What autograd keeps for the backward pass of a batch, each storage once, the weights left out."""
    known = {weight.untyped_storage().data_ptr() for weight in trainer.model.parameters()}
    kept: dict[int, Any] = {}

    def pack(tensor: Any) -> Any:
        if tensor.untyped_storage().data_ptr() not in known:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    batch = trainer.data_collator([trainer.train_dataset[index] for index in pairs])
    trainer.model.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = trainer.compute_loss(trainer.model, batch)
    del loss
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("lora", [False, True])
def test_the_parts_are_what_they_are(run: Path, tmp_path: Path, lora: bool) -> None:
    made = trainer(run, tmp_path, *(["--use_peft"] if lora else []))
    lengths = estimates.BatchLengths.of(made)
    parts = estimates.memory(made, lengths.typical)
    every = sum(one.numel() for one in made.model.parameters())
    trained = sum(one.numel() for one in made.model.parameters() if one.requires_grad)
    assert parts["weights"] == 4 * every
    assert (parts["gradients"], parts["optimizer"]) == (4 * trained, 8 * trained)
    assert parts.get("reference") == (None if lora else 4 * every)
    counted = saved_bytes(made, list(lengths.pairs))
    assert 0.5 < parts["activations"] / counted < 2
    assert estimates.activations(made.model.config, 100, 4, True) < estimates.activations(
        made.model.config, 100, 4, False
    )


@pytest.mark.slow
def test_the_sum_is_near_the_measured_peak(run: Path, tmp_path: Path) -> None:
    """With batches so long that what training adds is more than what the libraries take."""
    given = ["--dataset", str(run), "--guard", "off", "--verdict_questions", "0", "--output_dir", str(tmp_path / "out")]
    given += ["--per_device_train_batch_size", "256", "--max_steps", "2", "--dataloader_drop_last", "false"]
    rows = read_jsonl(run / "pairs.jsonl")
    many = tmp_path / "many.jsonl"
    turn = "What is your name, and who made you? " * 4
    with many.open("w") as file:
        for number in range(256):
            row = rows[number % len(rows)]
            asked = {"role": "user", "content": f"{turn}{number}"}
            sides = {side: [asked, row[side][-1]] for side in ("chosen", "rejected")}
            file.write(json.dumps({**sides, "model": "pocket", "method": "correct"}) + "\n")
    given[1] = str(many)
    done = subprocess.run([sys.executable, "-c", PEAK, *given], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    reported, before = map(float, re.findall(r"^reported ([\d.]+) (\d+)", done.stderr, re.MULTILINE)[0])
    peak = float(re.findall(r"^peak (\d+)", done.stderr, re.MULTILINE)[0])
    assert peak - before > 5e8, "the batch is large enough to tell"
    assert 0.5 < reported / peak < 2
    assert 0.5 < (reported - before) / (peak - before) < 2


def test_measuring_touches_neither_weights_nor_random_numbers_nor_metrics(run: Path, tmp_path: Path) -> None:
    made = trainer(run, tmp_path)
    weights = {name: weight.clone() for name, weight in made.model.state_dict().items()}
    state, training = torch.get_rng_state(), made.model.training
    step, cost = estimates.seconds(made, estimates.BatchLengths.of(made).pairs)
    assert step > 0 and cost > 0
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(weight, weights[name]) for name, weight in made.model.state_dict().items())
    assert all(weight.grad is None for weight in made.model.parameters())
    assert made.model.training == training
    assert not any(made._metrics.values())


@pytest.mark.slow
def test_it_is_told_before_training(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    given = ["--dataset", str(run), "--max_steps", "3", "--guard", "off", "--verdict_questions", "0", "--use_peft"]
    assert dpo.main([*given, "--logging_steps", "3", "--output_dir", str(tmp_path / "out")]) == 0
    said = capfd.readouterr().err
    assert said.index("training: about") < said.index("step 3/3")
    for line in (
        r"24 of 24 pairs can be learned from",
        r"3 steps, 8 pairs each \(about [\d,]+ tokens, at most [\d,]+ with padding\)",
        r"training: about [\d.:]+ s? ?\(estimated from one forward pass\)\n",
        r"parameters: 245,760 trained of 2,952,384",
        r"memory: about [\d.]+ [MG]B: program .*, weights 12 MB, gradients 1 MB, optimizer 2 MB, activations",
    ):
        assert re.search(line, said), line


@pytest.mark.parametrize(("pairs", "accumulated", "epochs", "ahead"), [(80, 4, 1.0, 3), (80, 4, 2.5, 8), (5, 4, 1, 1)])
def test_the_last_batches_of_an_epoch_are_a_step_too(pairs: int, accumulated: int, epochs: float, ahead: int) -> None:
    args = SimpleNamespace(max_steps=-1, per_device_train_batch_size=8, world_size=1)
    args.gradient_accumulation_steps, args.num_train_epochs = accumulated, epochs
    assert estimates.steps(args, pairs) == ahead


@pytest.mark.parametrize(("seconds", "shown"), [(0.4, "0 s"), (67.2, "67 s"), (119.4, "119 s"), (7384, "2:03:04")])
def test_a_long_time_is_shown_in_hours(seconds: float, shown: str) -> None:
    assert estimates.duration(seconds) == shown


def test_experts_that_an_adapter_leaves_out_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    layer, weight = "model.layers.0.mlp", torch.zeros(2, 3)
    own = {f"{layer}.experts.base_layer.base_layer.down_proj": weight, f"{layer}.experts.lora_A.default.weight": weight}
    estimates.say_experts(own)
    assert capfd.readouterr().err == ""
    reached = {f"{layer}.shared_expert.up_proj.{part}.weight": weight for part in ("base_layer", "lora_A.default")}
    estimates.say_experts({f"{layer}.experts.down_proj": weight, **reached})
    said = capfd.readouterr().err
    assert "leaves 6 of their 12 weights as they are" in said
    assert "--lora_target_parameters experts.down_proj\n" in said
