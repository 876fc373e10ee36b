"""The job: what is trained on and what it starts from."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pairforge
from trainers.data import UNSET, find_training_job


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return pairforge.correct("Qwen", "Deep Qwen", limit=4, output=str(tmp_path / "out"), quiet=True).run.path


def found(run: Path, model: str | None = None) -> Any:
    script = SimpleNamespace(dataset_name=str(run))
    return find_training_job(script, SimpleNamespace(eval_strategy="no", output_dir=UNSET, process_index=0), model)


def test_the_model_is_trained_in_the_revision_that_was_asked(run: Path) -> None:
    assert found(run).revision == "main"
    settings = json.loads((run / "run.json").read_text("utf-8"))
    settings["settings"]["revision"] = "v2"
    (run / "run.json").write_text(json.dumps(settings), "utf-8")
    assert found(run).revision == "v2"
    assert found(run, "another/model").revision == "main"


def test_by_default_the_tuned_model_stands_beside_its_pairs(run: Path) -> None:
    job = found(run)
    assert (job.model, job.method, job.output_dir) == ("pocket", "correct", run / "model")
    assert len(job.rows) == 8
