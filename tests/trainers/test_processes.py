"""Two processes: one speaks, evaluates and saves, and the model is that of one process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pairforge
from pairforge.resources import resource
from trainers import dpo

FOUR = ["--max_steps", "4", "--warmup_steps", "0", "--logging_steps", "4", "--verdict_questions", "2", "--guard", "off"]


def test_two_processes_make_the_model_of_one(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    run = pairforge.correct("Qwen", "Deep Qwen", limit=16, output=str(tmp_path), quiet=True).run.path
    flags = [*FOUR, "--dataset", str(run), "--save_steps", "4", "--output_dir"]
    assert dpo.main([*flags, str(tmp_path / "one")]) == 1
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*launch, "-m", "trainers.dpo", *flags, str(tmp_path / "two")], capture_output=True, text=True, timeout=300
    )
    assert "saved: " in done.stderr, done.stderr
    for line in ("loading TRL", "signal: ", "steps: 4 of 8 pairs", "step 4/4", "saved: "):
        assert done.stderr.count(line) == 1, f"{line} is said once"
    assert done.stdout.count("verdict: ") == 1
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
    assert done.stderr.count("error: ") == 1
