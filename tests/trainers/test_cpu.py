"""A training on a CPU: only answers are scored, with the same loss and gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from trl import DPOConfig, DPOTrainer
from trl.kernels import chunked_logprob
from trl.trainer import utils

import pairforge
from pairforge.resources import resource
from trainers.cpu import score_answers_alone
from trainers.data import trl_dataset
from trainers.recipes import hardware


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing. is deprecated:FutureWarning")
def test_prompts_and_padding_are_not_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "_use_triton", chunked_logprob._use_triton)  # a training of another test has changed it
    made = pairforge.correct("Qwen", "Deep Qwen", limit=4, output=str(tmp_path), quiet=True)
    config = DPOConfig(output_dir=str(tmp_path), **hardware(), report_to="none", disable_tqdm=True, beta=0.3)
    rows = trl_dataset(pairforge.read_pairs(made.run.path / "pairs.jsonl"))
    trainer = DPOTrainer(str(resource("data", "pocket")), args=config, train_dataset=rows)
    trainer.model.eval()
    batch = trainer.data_collator([*trainer.train_dataset])
    scored: list[int] = []
    apply = utils._ChunkedLogProbFunction.apply

    def counting(hidden: torch.Tensor, *more: Any) -> Any:
        scored.append(len(hidden))
        return apply(hidden, *more)

    monkeypatch.setattr(utils._ChunkedLogProbFunction, "apply", counting)

    def step() -> tuple[torch.Tensor, torch.Tensor]:
        trainer.model.zero_grad()
        loss = trainer.compute_loss(trainer.model, batch)
        loss.backward()
        return loss.detach(), torch.cat([one.grad.flatten() for one in trainer.model.parameters()])

    before = step()
    all_positions, scored[:] = {*scored}, []
    score_answers_alone()
    torch.testing.assert_close(step(), before)
    assert {*scored} == {int(batch["completion_mask"][:, 1:].sum())}
    assert all_positions == {batch["input_ids"][:, 1:].numel()}
