"""Measure the cost of our trainer: TRL's plain `DPOTrainer` against ours without and with the guard, on the same data.

    python benchmarks/training.py [--pairs FILE] [--steps 40] [--repeats 3] [--output docs/benchmarks/training.json]
    python benchmarks/training.py --model smollm2 --steps 5 --repeats 1 --output docs/benchmarks/training.smollm2.json

Each training runs in a separate process, the kinds alternate, and only `trainer.train()` is timed. The ratios
compare CPU time, because other processes on the machine disturb it less than wall time; the output has both. For
the guard, the output also has the CPU seconds that the guard itself took. Use this figure to judge the guard,
because whole trainings vary by more than that.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("trl", "guard off", "guard stop")


def child(kind: str, model: str, pairs: str, steps: int, folder: str) -> None:
    """Run one training and print the seconds of `trainer.train()` as JSON."""
    from transformers import Trainer

    train: Any = Trainer.train
    spent: dict[str, float] = {}

    def timed(self: Any, *given: Any, **named: Any) -> Any:
        clock, processor = time.monotonic(), time.process_time()
        result = train(self, *given, **named)
        spent.update(wall=time.monotonic() - clock, cpu=time.process_time() - processor)
        return result

    Trainer.train = timed
    if kind == "guard stop":
        spent["guard"] = 0.0
        clocked(spent)
    if kind == "trl":
        plain(model, pairs, steps, folder)
    else:
        from trainers import dpo

        flags = ["--dataset", pairs, "-m", model, "--max_steps", str(steps), "--output_dir", folder]
        dpo.main([*flags, "--guard", kind.split()[1], "--max_samples", "100000", "--verdict_questions", "0"])
    print(json.dumps(spent))


def clocked(spent: dict[str, float]) -> None:
    """Patch the guard so that `spent["guard"]` adds up the CPU seconds that it takes during the training."""
    from trainers.guard import CollapseGuard

    def timing(method: Any) -> Any:
        def timed(*given: Any, **named: Any) -> Any:
            begun = time.process_time()
            method(*given, **named)
            spent["guard"] += time.process_time() - begun

        return timed

    for event in ("on_train_begin", "on_step_end", "on_log", "on_save", "on_epoch_end", "on_train_end"):
        setattr(CollapseGuard, event, timing(getattr(CollapseGuard, event)))


def plain(model: str, pairs: str, steps: int, folder: str) -> None:
    """Train as TRL's own script does, with the settings of our recipe."""
    from datasets import load_dataset
    from trl import DPOConfig, DPOTrainer

    from pairforge import model_source
    from trainers.data import count_parameters
    from trainers.recipes import hardware, recipe

    rows = load_dataset("json", data_files=pairs, split="train").select_columns(["chosen", "rejected"])
    settings = {**recipe("correct"), **hardware(count_parameters(model, None))}
    config = DPOConfig(output_dir=folder, max_steps=steps, **settings)
    DPOTrainer(model_source(model), args=config, train_dataset=rows).train()


def measure(model: str, pairs: str, steps: int, repeats: int) -> dict[str, list[dict[str, float]]]:
    """Return the seconds of each training, by kind."""
    spent: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    for _ in range(repeats):
        for kind in KINDS:
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, __file__, "--child", kind, "--model", model, "--pairs", pairs]
                more = ["--steps", str(steps), "--output", folder]
                done = subprocess.run([*command, *more], capture_output=True, text=True, env=environment)
            if not done.stdout.strip():
                sys.exit(done.stderr)
            spent[kind].append(json.loads(done.stdout.strip().splitlines()[-1]))
            print(kind, spent[kind][-1], file=sys.stderr)
    return spent


def made(folder: str) -> str:
    """Make the default pairs and return their file."""
    import pairforge

    return str(pairforge.correct("Qwen", "Deep Qwen", output=folder, quiet=True).run.path / "pairs.jsonl")


def main() -> None:
    """Run the command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pocket", help="model that is trained (default: pocket)")
    parser.add_argument("--pairs", help="JSON Lines file of pairs (default: the pairs of a default correction run)")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", default=str(ROOT / "docs" / "benchmarks" / "training.json"))
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.model, given.pairs, given.steps, given.output)
        return
    with tempfile.TemporaryDirectory() as folder:
        spent = measure(given.model, given.pairs or made(folder), given.steps, given.repeats)
    middle = {kind: statistics.median(one["cpu"] for one in times) for kind, times in spent.items()}
    result = {
        "model": given.model,
        "steps": given.steps,
        "cpu_ratio_to_trl": {kind: round(middle[kind] / middle["trl"], 3) for kind in KINDS},
        "seconds": {kind: [{name: round(s, 2) for name, s in one.items()} for one in spent[kind]] for kind in KINDS},
        "machine": {"system": platform.platform(), "processors": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("torch", "transformers", "trl")},
    }
    Path(given.output).write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["cpu_ratio_to_trl"]))


if __name__ == "__main__":
    main()
