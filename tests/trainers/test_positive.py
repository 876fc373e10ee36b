"""DPO-Positive: the equation by hand, alone and mixed, with precomputed log-probabilities and with an adapter."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM
from trl import DPOConfig, DPOTrainer

import pairforge
from pairforge.resources import resource
from trainers.data import trl_dataset
from trainers.positive import PositiveDPOTrainer, dpop_loss
from trainers.recipes import hardware

BETA, LAMBDA = 0.3, 5.0
POCKET = str(resource("data", "pocket"))
# TRL uses a name that transformers calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing. is deprecated:FutureWarning")


def by_hand(chosen: float, rejected: float) -> float:
    """Eq. 3 of arXiv:2402.13228 as it stands there, on log-ratios of policy to reference."""
    return -math.log(1 / (1 + math.exp(-BETA * (chosen - rejected - LAMBDA * max(0.0, -chosen)))))


@pytest.mark.parametrize(("chosen", "rejected"), [(0.5, -0.5), (-0.5, -3.0), (0.0, 0.0), (-2.0, 1.0), (3.0, 4.0)])
def test_the_loss_of_a_pair_is_that_of_the_paper(chosen: float, rejected: float) -> None:
    loss = dpop_loss(torch.tensor([chosen]), torch.tensor([rejected]), BETA, LAMBDA)
    assert loss.item() == pytest.approx(by_hand(chosen, rejected), abs=1e-5)


def trainer(folder: Path, losses: list[str], weights: list[float], lora: bool = False, **more: Any) -> Any:
    given = {"output_dir": str(folder), "loss_type": losses, "loss_weights": weights, "beta": BETA}
    config = DPOConfig(**hardware(), **given, report_to="none", disable_tqdm=True, **more)
    adapter = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=4) if lora else None
    rows = trl_dataset(pairforge.read_pairs(folder / "pairs.jsonl"))
    return PositiveDPOTrainer(POCKET, args=config, train_dataset=rows, peft_config=adapter, dpop_lambda=LAMBDA)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("positive")
    return pairforge.correct("Qwen", "Deep Qwen", limit=4, output=str(folder), quiet=True).run.path


def move(trainer: Any, size: float) -> None:
    """Away from the reference, so that some chosen answers are less likely than before and some more."""
    generator = torch.Generator().manual_seed(0)
    for weights in trainer.model.parameters():
        if weights.requires_grad:
            weights.data += size * torch.randn(weights.shape, generator=generator)
    trainer.model.eval()


def batch(trainer: Any) -> dict[str, torch.Tensor]:
    made: dict[str, torch.Tensor] = trainer.data_collator(list(trainer.train_dataset))
    return made


def logps(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Of each token of each completion, from plain logits; of shape (2 * pairs, tokens - 1)."""
    with torch.no_grad():
        scores = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits[:, :-1]
    each = scores.log_softmax(-1).gather(-1, inputs["input_ids"][:, 1:, None]).squeeze(-1)
    return each * inputs["completion_mask"][:, 1:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "size"), [({}, 0.03), ({"precompute_ref_log_probs": True}, 0.03), ({"lora": True}, 0.13)], ids=str
)
def test_the_trainer_s_loss_is_the_equation_alone_and_mixed(run: Path, how: dict[str, Any], size: float) -> None:
    made = trainer(run, ["dpop", "sft"], [0.5, 2.0], **how)
    move(made, size)
    inputs: dict[str, torch.Tensor] = made.data_collator(list(made.train_dataset))
    reference = AutoModelForCausalLM.from_pretrained(POCKET, dtype=torch.float32)
    now, then = (logps(model, inputs) for model in (made.model, reference))
    ratios = (now - then).sum(1).chunk(2)
    assert {bool(ratio > 0) for ratio in ratios[0]} == {True, False}, "both sides of the penalty are tried"
    alone = sum(by_hand(*map(float, pair)) for pair in zip(*ratios, strict=True)) / len(ratios[0])
    sft = -float(now.chunk(2)[0].sum() / inputs["completion_mask"].chunk(2)[0].sum())
    with torch.no_grad():
        assert float(made.compute_loss(made.model, dict(inputs))) == pytest.approx(0.5 * alone + 2 * sft, abs=1e-5)
        made.loss_types, made.loss_weights = [], []
        assert float(made.compute_loss(made.model, dict(inputs))) == pytest.approx(0.5 * alone, abs=1e-5)


@pytest.mark.slow
def test_it_has_a_gradient_and_one_pass_of_the_model_and_trl_s_metrics(run: Path) -> None:
    made = trainer(run, ["dpop"], [1.0], max_steps=2, logging_steps=1, save_strategy="no")
    calls = []
    made.model.model.register_forward_hook(lambda *_: calls.append("policy"))
    before = made.model.model.norm.weight.detach().clone()
    made.train()
    assert len(calls) == 2, "one a step"
    assert not torch.equal(before, made.model.model.norm.weight)
    assert {"rewards/margins", "logps/chosen", "loss"} <= set(made.state.log_history[0])


def test_what_does_not_go_together_is_refused(run: Path) -> None:
    with pytest.raises(ValueError, match="can't be combined"):
        trainer(run, ["dpop"], [1.0], ld_alpha=0.5)


def test_a_trl_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DPOTrainer, "compute_ref_log_probs", lambda self, inputs: None)
    with pytest.raises(ImportError, match="newer TRL"):
        PositiveDPOTrainer(POCKET)
