"""Use pairforge in a DPOTrainer script of your own: python examples/own_trainer.py PAIRS MODEL OUTPUT

The script checks the pairs, trains with the recommended settings and the guard, and evaluates the trained model. For a
model of your own, write recipe("correct", parameters=N, steps=N): the learning rate goes by both.
"""

import sys

from datasets import load_dataset
from trl import DPOConfig, DPOTrainer

import pairforge
from trainers.guard import CollapseGuard
from trainers.recipes import hardware, recipe

pairs, model, output = sys.argv[1:]
rows = load_dataset("json", data_files=pairs, split="train").select_columns(["chosen", "rejected"])
if not (findings := pairforge.validate(rows, model=model)).ok:
    sys.exit("\n".join(f"{one.code} row {one.row}: {one.message}" for one in findings if one.severity == "error"))
config = DPOConfig(output_dir=output, **recipe("correct"), **hardware())
guard = CollapseGuard()
trainer = DPOTrainer(pairforge.model_source(model), args=config, train_dataset=rows, callbacks=[guard])
trainer.train()
trainer.save_model(output)
verdict = pairforge.evaluate(output, base=model, from_="Qwen", to="Deep Qwen", limit=100)
print(verdict)
sys.exit(0 if verdict.ok and not guard.alarm else 1)
