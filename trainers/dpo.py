"""Train on preference pairs with TRL's DPOTrainer and judge the trained model: `python -m trainers.dpo`.

Without an argument: the pairs of the latest run, the model that the run asked, the tuned model in `<run>/model`. Every
flag of `trl dpo` works, in TRL's spelling, and wins over the recipe; `--dataset` is a run folder, a file of pairs or a
dataset on the Hub. The verdict before and after is printed on stdout, and written to `verdict.json` beside the weights.

Exit codes: 0 trained, and the verdict passes or none was asked for; 1 trained, and the verdict fails or the guard
stopped; 2 unusable flags, pairs or model; 4 network, disk or Hub; 130 interrupted; 141 stdout closed.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pairforge
from pairforge.api.models import open_tokenizer
from pairforge.statistics import sample_indices

from .checkpoints import save, stamping, step_of, to_resume
from .data import UNSET, TrainingJob, count_parameters, find_training_job, training_digest, trl_dataset
from .flags import CPU_SAMPLES, parse, trl
from .outcome import History, finish, has_verdict, show_before
from .preflight import check_pairs, report, say
from .publishing import publish, reserve
from .recipes import hardware, recipe

_SMALL = 100 * 2**20  # bytes of weights; below, a second thread makes it slower
_LOGGED = ("loss", "rewards/accuracies", "rewards/margins", "logps/chosen", "eval_loss")


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the flags, train, save and judge; return the exit code."""
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
    job, script, config, chosen = _parse(argv)
    limit = script.max_samples or (CPU_SAMPLES if config.use_cpu else None)
    numbers = sample_indices(len(job.rows), limit, config.seed)
    rows = [job.rows[number] for number in numbers]
    say(f"pairs: {len(rows)} of {len(job.rows)}" + (" (--max_samples for more)" if len(rows) < len(job.rows) else ""))
    say(f"model: {job.model} -> {job.output_dir}; {'+'.join(config.loss_type)}, lr {config.learning_rate:g}")
    _set_model_options(config, chosen)
    if config.process_index == 0:
        check_pairs(rows, numbers, job.model, config)
    if has_verdict(job, script) and config.world_size == 1:  # one of several processes would keep the others waiting
        show_before(job, script)
    # The model is pushed by us and once, at the end: not by transformers, at each checkpoint.
    push, config.push_to_hub = config.push_to_hub and config.process_index == 0, False
    if push:
        config.hub_model_id = reserve(config)
    history = _train(job, rows, script, config, chosen)
    if config.process_index != 0:
        return 0
    ok = finish(job, rows, script, config, history)
    if push:
        publish(job.output_dir, str(config.hub_model_id), config)
    return 0 if ok and not history.stopped else 1


def _parse(argv: list[str]) -> tuple[TrainingJob, Any, Any, Any]:
    """Find the pairs and the model, and return them with TRL's script, training and model arguments.

    The flags are read twice: they name pairs and model, and these decide on the recipe, that is the flags' defaults.
    """
    script, config, chosen = parse(argv, {**hardware(), "output_dir": UNSET})
    with config.main_process_first(local=False):  # which may have to make the run
        job = find_training_job(script, config, chosen.model_name_or_path)
    if Path(job.model).resolve() == job.output_dir.resolve():
        raise pairforge.InputError(f"{job.model} is both the model and the output", fix="choose another --output_dir")
    usual = recipe(job.method, lora=chosen.use_peft, parameters=count_parameters(job.model, job.revision))
    own = {"output_dir": str(job.output_dir), "model_revision": job.revision}
    return job, *parse(argv, {**defaults(usual, config.world_size), **own})


def defaults(usual: Mapping[str, Any], processes: int) -> dict[str, Any]:
    """Return our defaults, in place of TRL's; the recipe's batch is that of all processes together."""
    batch = max(1, usual["per_device_train_batch_size"] // processes)
    return {**hardware(), **usual, "per_device_train_batch_size": batch, "lora_target_modules": ["all-linear"]}


def _set_model_options(config: Any, chosen: Any) -> None:
    """Put the options for loading the model where TRL's trainer looks for them."""
    given = {"revision": chosen.model_revision, "attn_implementation": chosen.attn_implementation}
    given |= {"dtype": chosen.dtype, "use_safetensors": True}
    config.model_init_kwargs = {**given, **(config.model_init_kwargs or {})}


def _train(job: TrainingJob, rows: Sequence[Mapping[str, Any]], script: Any, config: Any, chosen: Any) -> History:
    """Train, save, and let the other processes end."""
    training = training_digest(rows, job.model, script, config, chosen)
    checkpoint = to_resume(config.resume_from_checkpoint, job.output_dir, training)
    source, revision = pairforge.model_source(job.model), config.model_init_kwargs["revision"]
    with _trl_errors():
        _set_hardware_options(source, config)
        kind = trl().DPOTrainer
        if "dpop" in config.loss_type:
            from .positive import PositiveDPOTrainer

            kind = partial(PositiveDPOTrainer, dpop_lambda=script.dpop_lambda)
        trainer = kind(
            model=source,
            args=config,
            train_dataset=trl_dataset(rows),
            eval_dataset=trl_dataset(job.test_rows) if job.test_rows else None,
            processing_class=open_tokenizer(source, revision, quiet=config.process_index != 0).tokenizer,
            quantization_config=trl().get_quantization_config(chosen),
            peft_config=trl().get_peft_config(chosen),
        )
    trainer.create_model_card = lambda *_, **__: None  # ours is written at the end, and has more in it
    guard = _guard(script.guard)
    for callback in filter(None, (guard, stamping(training))):
        trainer.add_callback(callback)
    if config.disable_tqdm:
        _print_log_lines(trainer)
    with _trl_errors():  # an unknown --loss_type is known at the first batch
        report(trainer, max(step_of(checkpoint), 0) if checkpoint else 0)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    save(trainer, job.output_dir)
    history = History.of(trainer, script.guard, guard)
    trainer.accelerator.end_training()
    return history


def _print_log_lines(trainer: Any) -> None:
    """Print for each log a line with the time that is left, in place of transformers' dicts."""
    from transformers import PrinterCallback, TrainerCallback

    class LogLines(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.start, self.first_step = time.monotonic(), state.global_step

        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
            if shown := [f"{name} {float(logs[name]):.3f}" for name in _LOGGED if logs and name in logs]:
                per_step = (time.monotonic() - self.start) / max(state.global_step - self.first_step, 1)
                left = f"{per_step * (state.max_steps - state.global_step):.0f} s left"
                say(f"step {state.global_step}/{state.max_steps}  {'  '.join(shown)}  {left}")

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(LogLines())


@contextmanager
def _trl_errors() -> Iterator[None]:
    """Convert TRL's errors about flags and model to InputError, in one line."""
    try:
        yield
    except (ValueError, ImportError, OSError, RuntimeError) as error:
        line = str(error).strip().split("\n")[0] or type(error).__name__
        raise pairforge.InputError(f"TRL can't train with these flags: {line}", fix="see --help") from error


def _guard(action: str) -> Any:
    if action == "off":
        return None
    from .guard import CollapseGuard

    return CollapseGuard("warn" if action == "warn" else "stop")


def _set_hardware_options(source: str, config: Any) -> None:
    import torch
    from transformers import AutoConfig

    sizes = [file.stat().st_size for file in Path(source).glob("*.safetensors")]
    if config.use_cpu and sizes and sum(sizes) < _SMALL:
        torch.set_num_threads(1)
    # On several processes torch would look for unused parameters in each step, and warn. Only experts can be unused;
    # with gradient checkpointing transformers decides.
    if config.world_size > 1 and config.ddp_find_unused_parameters is None:
        known = AutoConfig.from_pretrained(source, revision=config.model_init_kwargs["revision"])
        if not any("expert" in name for name in known.to_dict()):
            config.ddp_find_unused_parameters = False


@contextmanager
def _less_noise() -> Iterator[None]:
    """Silence the libraries' progress bars and their known warnings."""
    import datasets
    from transformers.utils import logging

    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    with warnings.catch_warnings():
        # TRL sets `gradient_checkpointing` by default, and reads `is_gradient_checkpointing`.
        message = "`(is_)?gradient_checkpointing` is deprecated"
        warnings.filterwarnings("ignore", message=message, category=FutureWarning)
        yield


if __name__ == "__main__":
    sys.exit(main())
