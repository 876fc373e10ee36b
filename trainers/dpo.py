"""Trains on preference pairs with TRL's DPOTrainer and shows what came of it: `python -m trainers.dpo`.

Without an argument: the pairs of the latest run, the model that the run asked, the tuned model in `<run>/model`. Every
flag of `trl dpo` is there, in TRL's spelling, and wins over the recipe; `--dataset_name` is a run folder, a file of
pairs or a dataset on the Hub. The verdict before and after goes to stdout, and into `verdict.json` beside the weights.

Exit codes: 0 trained, and the verdict passes or none was asked for; 1 trained, and it fails; 2 unusable flags, pairs
or model; 4 the world outside; 130 interrupted; 141 stdout closed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pairforge

from .job import UNSET, Job, check, dataset, draw, find_job, say
from .recipes import hardware, recipe

_CPU_SAMPLES = 1200  # pairs; enough for a new name, and about a minute for the pocket model
_SMALL = 100 * 2**20  # bytes of weights; below, a second thread costs more than it gives
_NOISE = (
    r"`gradient_checkpointing` is deprecated",  # TRL sets it by default
    r"`is_gradient_checkpointing` is deprecated",  # TRL reads it
)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, save, judge; returns the exit code."""
    say("loading TRL, which takes some seconds")
    try:
        with _less_noise():
            return _run(list(sys.argv[1:] if argv is None else argv))
    except pairforge.PairforgeError as error:
        say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted; the output folder holds what was saved before")
        return 130
    except BrokenPipeError:
        # The interpreter would complain about the closed pipe once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(argv: list[str]) -> int:
    script, config, chosen = _parse(argv, {"output_dir": UNSET})
    job = find_job(script, config, chosen.model_name_or_path)
    script, config, chosen = _parse(argv, {**recipe(job.method), "output_dir": str(job.output_dir)})
    check(job)
    limit = script.max_samples or (_CPU_SAMPLES if config.use_cpu else None)
    rows = draw(job.rows, limit, config.seed)
    say(f"pairs: {len(rows)} of {len(job.rows)}" + (" (--max_samples for more)" if len(rows) < len(job.rows) else ""))
    say(f"model: {job.model} -> {job.output_dir}; {'+'.join(config.loss_type)}, lr {config.learning_rate:g}")
    judged = job.run and script.verdict_questions and config.process_index == 0
    if judged:
        _before(job, script.verdict_questions)
    _train(job, rows, config, chosen)
    if not judged:
        say(f"no verdict; for one: pairforge evaluate -m {job.output_dir} --base {job.model} --from OLD --to NEW")
        return 0
    return 0 if _after(job, script.verdict_questions) else 1


def _trl() -> Any:
    """TRL, whose lazy exports a type checker doesn't see."""
    import trl

    return trl


def _parse(argv: list[str], defaults: Mapping[str, Any]) -> Any:
    """TRL's own parser, with this machine's and the recipe's defaults under the user's flags."""
    trl = _trl()
    parser = trl.TrlParser((_arguments(), trl.DPOConfig, trl.ModelConfig), prog="python -m trainers.dpo")
    parser.set_defaults_with_config(**hardware(), **defaults)
    try:
        return parser.parse_args_and_config(argv)
    except (ValueError, OSError) as error:
        line = str(error).split("\n")[0]
        raise pairforge.InputError(f"the flags can't be used: {line}", fix="see --help") from error


def _arguments() -> type:
    @dataclass
    class PairArguments(_trl().ScriptArguments):  # type: ignore[misc]
        """TRL's script arguments and two more."""

        max_samples: int | None = field(
            default=None,
            metadata={"help": f"At most so many pairs, drawn with --seed (on a CPU {_CPU_SAMPLES}, else all)."},
        )
        verdict_questions: int = field(
            default=200, metadata={"help": "Questions of each kind that the verdict asks; 0 leaves it out."}
        )

    return PairArguments


def _train(job: Job, rows: Sequence[Mapping[str, Any]], config: Any, chosen: Any) -> None:
    trl = _trl()
    source = pairforge.model_source(job.model)
    _threads(source, config)
    given = {"revision": chosen.model_revision, "attn_implementation": chosen.attn_implementation}
    given |= {"dtype": chosen.dtype, "use_safetensors": True}
    config.model_init_kwargs = {**given, **(config.model_init_kwargs or {})}
    trainer = trl.DPOTrainer(
        model=source,
        args=config,
        train_dataset=dataset(rows),
        eval_dataset=dataset(job.test_rows) if job.test_rows else None,
        processing_class=_tokenizer(source, chosen.model_revision),
        quantization_config=trl.get_quantization_config(chosen),
        peft_config=trl.get_peft_config(chosen),
    )
    _tell_lengths(trainer, len(rows))
    if config.disable_tqdm:
        _use_lines(trainer)
    trainer.train(resume_from_checkpoint=config.resume_from_checkpoint)
    _save(trainer, job.output_dir)
    if config.push_to_hub:
        trainer.push_to_hub()


def _threads(source: str, config: Any) -> None:
    import torch

    sizes = [file.stat().st_size for file in Path(source).glob("*.safetensors")]
    if config.use_cpu and sizes and sum(sizes) < _SMALL:
        torch.set_num_threads(1)


def _tokenizer(source: str, revision: str) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
    if not tokenizer.chat_template:
        say(f"{source} has no chat template: a plain one (User: / Assistant:) is used")
        tokenizer.chat_template = pairforge.PLAIN_TEMPLATE
    return tokenizer


def _tell_lengths(trainer: Any, pairs: int) -> None:
    kept, limit = trainer.train_dataset, trainer.args.max_length
    if dropped := pairs - len(kept):
        say(f"dropped: {dropped} pairs whose prompt alone fills --max_length {limit}")
    if limit is not None:
        sides = zip(kept["prompt_ids"], kept["chosen_ids"], kept["rejected_ids"], strict=True)
        if cut := sum(len(prompt) + max(len(chosen), len(rejected)) > limit for prompt, chosen, rejected in sides):
            say(f"cut: {cut} pairs are longer than --max_length {limit} tokens")


def _use_lines(trainer: Any) -> None:
    """A line a log, not the whole dict: the loss, what everybody watches, and `logps/chosen`, which can tell."""
    from transformers import PrinterCallback, TrainerCallback

    names = ("loss", "rewards/accuracies", "rewards/margins", "logps/chosen", "eval_loss")
    start = time.monotonic()

    class Lines(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
            if shown := [f"{name} {float(logs[name]):.3f}" for name in names if logs and name in logs]:
                left = (time.monotonic() - start) / max(state.global_step, 1) * (state.max_steps - state.global_step)
                say(f"step {state.global_step}/{state.max_steps}  {'  '.join(shown)}  {left:.0f} s left")

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Lines())


def _save(trainer: Any, folder: Path) -> None:
    """Save aside, then move file by file. config.json goes first and comes last: a folder that has one is whole."""
    aside = folder / ".saving"
    trainer.model.config.use_cache = True  # training turns it off, and generation would be slow for ever
    trainer.save_model(str(aside))
    if not trainer.is_world_process_zero():
        return
    umask = os.umask(0)
    os.umask(umask)
    for name in ("config.json", "verdict.json"):
        (folder / name).unlink(missing_ok=True)
    for file in sorted(aside.iterdir(), key=lambda file: file.name == "config.json"):
        if file.name != "training_args.bin":  # a pickle that nothing here reads
            file.chmod(0o666 & ~umask)
            os.replace(file, folder / file.name)
    shutil.rmtree(aside)
    say(f"saved: {folder}")


def _before(job: Job, questions: int) -> None:
    _show("before training", pairforge.ask(model=[job.model]))
    verdict = pairforge.evaluate(job.model, run=str(job.run), limit=questions)
    _show("", replace(verdict, checks={}))  # the thresholds are for a trained model


def _after(job: Job, questions: int) -> bool:
    tuned = str(job.output_dir)
    _show("after training", pairforge.ask(model=[job.model, tuned]))
    verdict = pairforge.evaluate(tuned, base=job.model, run=str(job.run), limit=questions)
    _show("", verdict)
    temp = job.output_dir / ".verdict.json.tmp"
    temp.write_text(json.dumps(verdict.as_json(), ensure_ascii=False, indent=2) + "\n", "utf-8")
    os.replace(temp, job.output_dir / "verdict.json")
    return bool(verdict.ok)


@contextmanager
def _less_noise() -> Iterator[None]:
    """No progress bars of the libraries, and none of their known noise."""
    import datasets
    from transformers.utils import logging

    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    with warnings.catch_warnings():
        for message in _NOISE:
            warnings.filterwarnings("ignore", message=message, category=FutureWarning)
        yield


def _show(title: str, result: Any) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
    if title:
        console.print(f"== {title}")
    console.print(result)


if __name__ == "__main__":
    sys.exit(main())
