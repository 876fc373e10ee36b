"""Train on preference pairs with TRL's DPOTrainer and judge the trained model: `pairforge train dpo`.

Without a flag: the pairs of the latest run, the model that the run asked, the trained model in `<run>/model`, or in
`<run>/model-2` where that holds one. Every flag of `trl dpo` works, in TRL's spelling, and wins over the recipe;
`--dataset` is a run, a file of pairs or a dataset on the Hub. The verdict before and after is printed on stdout, and
written to `verdict.json` beside the weights. `python -m trainers.dpo` is the same.

Exit codes: 0 trained, and the verdict passes or none was asked for; 1 trained, and the verdict fails or the guard
stopped; 2 unusable flags, pairs or model; 4 network, disk or Hub; 130 interrupted; 141 stdout closed.
"""

from __future__ import annotations

import copy
import errno
import math
import os
import shlex
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pairforge
from pairforge.api.models import open_tokenizer
from pairforge.errors import is_disk_full
from pairforge.run import TrainedModel
from pairforge.samplers.hardware import thread_count, thread_note
from pairforge.samplers.model_loading import out_of_memory
from pairforge.statistics import sample_indices
from pairforge.text import plural
from pairforge.types import digest

from .checkpoints import save, stamping, step_of, to_resume
from .cpu import score_answers_alone
from .data import TrainingJob, check_pairs, count_parameters, find_training_job, processes, training_digest, trl_dataset
from .early_checks import check_flags
from .estimates import report, steps
from .flag_help import all_help, short_help
from .flags import CPU_SAMPLES, Given, parse, trl
from .messages import let_the_first_speak, say
from .outcome import HISTORY, History, TrainingResult, finish, has_verdict, say_what_was_written, show_before
from .output_folder import STATE, OutputFolder, evaluation_seconds
from .publishing import publish, reserve
from .recipes import LENGTHS, STEPS, hardware, recipe
from .starting_model import check_start, check_tokens, described, has_experts, starting_model
from .sweep import best_flags

_EXPLAINING = ("learning_rate", "loss_type", "max_samples", "max_steps", "num_train_epochs")
"""The flags that explain best why a model did not learn."""
_TOO_HIGH = 20  # times the recipe's learning rate
_SECONDS = 10.0
"""The longest time between two lines about the steps of a training."""
_SMALL = 100 * 2**20  # bytes of weights; below, a second thread makes it slower
_LOGGED = ("loss", "rewards/accuracies", "rewards/margins", "logps/chosen", "eval_loss")


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the flags, train, save and judge; return the exit code."""
    words = [*(sys.argv[1:] if argv is None else argv)]
    try:
        if {"-h", "--help"} & {*words}:
            print(short_help())
            return 0
        if {"--help-all", "--help_all"} & {*words}:
            say(_LOADING)
            with _less_noise():
                print(all_help(defaults(recipe("correct"), 1)))
            return 0
        result = train(words)
        return 0 if result is None or result.ok else 1
    except pairforge.PairforgeError as error:
        say(f"pairforge: {error.message}")
        if error.fix:
            say(f"  -> {error.fix}")
        let_the_first_speak()
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted; the output folder holds what was saved before")
        return 130
    except OSError as error:
        if is_disk_full(error):
            say(f"pairforge: the disk is full: {error}")
            say("  -> free some space and run the same command again; with --save_steps N it can resume")
            return 4
        if not isinstance(error, BrokenPipeError):
            raise
        # The interpreter would complain about the closed pipe once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


_LOADING = "loading TRL, which takes some seconds"


def train(argv: Sequence[str], pairs: Any = None) -> TrainingResult | None:
    """Train as the flags in `argv` say; return what was made, None in all processes but the first.

    Args:
        argv: the words of the command line.
        pairs: rows, in place of the pairs that `argv` names.

    Raises InputError or OutsideError.
    """
    given = Given.of(argv)
    named = given.text("dataset_name")
    if named and pairs is None:
        say(f"reading the pairs of {named}")
    job = find_training_job(given, pairs)
    check_flags(given, job)
    check_start(job, given)
    if job.start.adapter and not given.on("use_peft"):
        argv = [*argv, "--use_peft"]
        given = Given.of(argv)
    if given.text("sweep"):
        argv = best_flags(argv, given, job, train)
        if given.on("sweep_only"):
            print(shlex.join(["pairforge", "train", "dpo", *argv]))
            return None
        return train(argv)
    say(f"pairs: {len(job.rows)} of {job.data or 'the rows'}")
    say(f"model: {described(job)}")
    say(_LOADING)
    with _less_noise():
        return _run(argv, given, job)


@dataclass
class Plan:
    """One training: what the user gave, the pairs with their numbers in the whole data, TRL's arguments, the output.

    `training` is the digest of all that decides the weights but the length of the training.
    `usual` is the recipe for these pairs and this model.
    """

    argv: Sequence[str]
    given: Given
    job: TrainingJob
    rows: Sequence[Mapping[str, Any]]
    numbers: Sequence[int]
    script: Any
    config: Any
    chosen: Any
    training: str
    output: OutputFolder
    usual: Mapping[str, Any]

    def about(self) -> dict[str, Any]:
        """Return what explains a verdict that fails: the number of pairs, the recipe, and the flags given."""
        usual = {"usual_loss": [*self.usual["loss_type"]], "usual_rate": self.usual["learning_rate"]}
        given = [name for name in _EXPLAINING if name in self.given.values]
        return {"pairs": len(self.job.rows), **usual, "given": given}


def _run(argv: Sequence[str], given: Given, job: TrainingJob) -> TrainingResult | None:
    size = count_parameters(job.model, job.revision)
    usual = partial(_usual, given, job, size)
    script, config, chosen = _parse(argv, usual(), job, size)
    limit = script.max_samples or (CPU_SAMPLES if config.use_cpu and not script.dataset_streaming else None)
    numbers = sample_indices(len(job.rows), limit, config.seed)
    known = usual(steps=steps(config, len(numbers)))  # the rate goes by the steps, and these by the other flags
    if "learning_rate" not in given.values:
        config.learning_rate = known["learning_rate"]
    rows = [job.rows[number] for number in numbers]
    _set_model_options(config, chosen)
    training = training_digest(rows, job.model, script, config, chosen)
    output = _open_output(given, job, script, config, training)
    try:
        fewer = f" of {len(job.rows)} (--max_samples for more)" if len(rows) < len(job.rows) else ""
        how = f"{'+'.join(config.loss_type)}, lr {config.learning_rate:g}"
        say(f"training on {plural(len(rows), 'pair')}{fewer} -> {output.path}; {how}")
        if not output.trained:
            _warn(config, len(rows), known["learning_rate"])
        return _train_and_judge(Plan(argv, given, job, rows, numbers, script, config, chosen, training, output, known))
    finally:
        output.close()


def _warn(config: Any, pairs: int, usual_rate: float) -> None:
    """Warn of a learning rate that no model survives, and of too few steps."""
    if (times := config.learning_rate / usual_rate) > _TOO_HIGH:
        rates = f"{config.learning_rate:g} is {times:.0f} times the recipe's {usual_rate:g}"
        say(f"warning: --learning_rate {rates}: models collapse at such a rate")
    ahead = steps(config, pairs)
    if ahead < LENGTHS[0]:  # below, the recipe raises the rate no more
        say(f"warning: {plural(ahead, 'step')} {'is' if ahead == 1 else 'are'} too few to learn anything")
        epochs = f"--num_train_epochs {math.ceil(CPU_SAMPLES / max(pairs, 1))}"
        say("  -> leave out --max_steps" if config.max_steps > 0 else f"  -> {epochs}, or make more pairs")


def _open_output(given: Given, job: TrainingJob, script: Any, config: Any, training: str) -> OutputFolder:
    """Choose the folder of the trained model; of several processes the first one chooses for all."""
    length = digest([training, config.num_train_epochs, config.max_steps, script.guard], 64)
    state = {"training": training, "length": length}
    chosen = [OutputFolder.open(job, given, state)] if config.process_index == 0 else [None]
    if config.world_size > 1:
        from accelerate.utils import broadcast_object_list

        found = chosen[0]
        shared = [(str(found.path), found.trained, found.finished) if found else None]
        [(path, trained, finished)] = broadcast_object_list(shared, from_process=0)
        chosen = [found or OutputFolder(Path(path), state, trained, finished)]
    [output] = chosen
    assert output
    config.output_dir = str(output.path)
    return output


def _train_and_judge(plan: Plan) -> TrainingResult | None:
    job, script, config, output = plan.job, plan.script, plan.config, plan.output
    first = config.process_index == 0
    # The model is pushed by us and once, at the end: not by transformers, at each checkpoint.
    push, config.push_to_hub = config.push_to_hub and first, False
    if output.trained and not first:
        return None
    if output.trained:
        what = "and its verdict" if output.finished else "but no verdict"
        say(f"{output.path} has the weights of this training already, {what}: nothing is trained")
        history = History.load(output.path, config.beta)
    else:
        checkpoint = _checkpoint(plan)
        if first:
            check_pairs(plan.rows, plan.numbers, job, config)
        seconds = 0.0
        if has_verdict(job, script) and config.world_size == 1:  # one of several would keep the others waiting
            try_flags(plan)
            seconds = show_before(job, script)
        if push:
            config.hub_model_id = reserve(config)
        seconds = max(seconds, evaluation_seconds(output.path)) if has_verdict(job, script) else 0.0
        history = _train(plan, checkpoint, seconds)
        if not first:
            return None
    result = finish(job, plan.rows, script, config, history, output)
    if push:
        publish(output.path, str(config.hub_model_id), config)
    say_what_was_written(job, result, plan.argv)
    return result


def _usual(given: Given, job: TrainingJob, parameters: int, steps: int = STEPS) -> dict[str, Any]:
    """Return the recipe for these pairs, this model and this many steps."""
    return recipe(job.method, lora=given.on("use_peft"), parameters=parameters, steps=steps, share=job.share)


def _parse(argv: Sequence[str], usual: Mapping[str, Any], job: TrainingJob, size: int) -> tuple[Any, Any, Any]:
    """Return TRL's script, training and model arguments, by default those of the recipe."""
    own: dict[str, Any] = {"output_dir": "trained", "model_revision": job.revision}
    if has_experts(job):
        own["lora_dropout"] = 0.0  # peft has none for experts whose weights are one tensor
    script, config, chosen = parse(argv, {**defaults(usual, processes(), size), **own})
    if config.world_size != processes():  # started by MPI
        script, config, chosen = parse(argv, {**defaults(usual, config.world_size, size), **own})
    return script, config, chosen


def try_flags(plan: Plan) -> None:
    """Have TRL's trainer take the flags, with two pairs and the bundled model, before a large one is loaded or asked.

    Raises InputError for what TRL refuses: losses that exclude each other, a kernel that is not installed.
    """
    config, chosen = plan.config, plan.chosen
    own_layers = chosen.lora_target_modules != "all-linear" or chosen.lora_target_parameters
    own_layers = chosen.use_peft and (own_layers or chosen.lora_modules_to_save) and plan.job.model != "pocket"
    if own_layers or config.deepspeed or config.fsdp or chosen.load_in_4bit or chosen.load_in_8bit:
        return  # they need the model itself
    trial = copy.copy(config)
    trial.model_init_kwargs = {**config.model_init_kwargs, "revision": None}
    source = pairforge.model_source("pocket")
    with _trl_errors((ImportError, NotImplementedError, ValueError)):
        trainer = _trainer_class(plan.script, config)(
            model=source,
            args=trial,
            train_dataset=trl_dataset(plan.rows[:2]),
            processing_class=open_tokenizer(source, None, quiet=True).tokenizer,
            peft_config=None if plan.job.start.adapter else trl().get_peft_config(chosen),
        )
        trainer.create_optimizer_and_scheduler(num_training_steps=2)
        batch = trainer.data_collator([*trainer.train_dataset])
        trainer.compute_loss(trainer.model, {name: one.to(trial.device) for name, one in batch.items()})


def _trainer_class(script: Any, config: Any) -> Any:
    if "dpop" not in config.loss_type:
        return trl().DPOTrainer
    from .positive import PositiveDPOTrainer

    return partial(PositiveDPOTrainer, dpop_lambda=script.dpop_lambda)


def defaults(usual: Mapping[str, Any], processes: int, parameters: int = 0) -> dict[str, Any]:
    """Return our defaults, in place of TRL's, for a model of so many parameters.

    The recipe's batch is that of all processes together.
    """
    batch = max(1, usual["per_device_train_batch_size"] // processes)
    own = {"per_device_train_batch_size": batch, "lora_target_modules": ["all-linear"]}
    return {**hardware(parameters), **usual, **own}


def _set_model_options(config: Any, chosen: Any) -> None:
    """Put the options for loading the model where TRL's trainer looks for them."""
    given = {"revision": chosen.model_revision, "attn_implementation": chosen.attn_implementation}
    given |= {"dtype": chosen.dtype, "use_safetensors": True}
    config.model_init_kwargs = {**given, **(config.model_init_kwargs or {})}


def _checkpoint(plan: Plan) -> Path | None:
    """Return the checkpoint to resume from. Raises InputError where the output holds the model of another training."""
    folder = plan.output.path
    checkpoint = to_resume(plan.config.resume_from_checkpoint, folder, plan.training)
    if not checkpoint and not plan.given.on("overwrite") and TrainedModel.at(folder):
        what = f"{folder} holds a trained model, and no checkpoint of this training"
        raise pairforge.InputError(what, fix="choose another --output_dir, or replace that model with --overwrite")
    return checkpoint


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Convert an error about memory to OutsideError, with what takes less."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        line = str(error).strip().split("\n")[0]
        fix = "a smaller --per_device_train_batch_size or --max_length, --gradient_checkpointing, or --use_peft"
        raise pairforge.OutsideError(f"training takes more memory than there is: {line}", fix=fix) from error


@_memory_errors()
def _train(plan: Plan, checkpoint: Path | None, evaluation: float) -> History:
    """Train, save, and let the other processes end; `evaluation` are the seconds that the verdict will take."""
    job, script, config, folder = plan.job, plan.script, plan.config, plan.output.path
    with _trl_errors():
        _set_hardware_options(job, config)
        if config.use_cpu:
            score_answers_alone()
        trainer = _trainer_class(script, config)(
            args=config,
            train_dataset=trl_dataset(plan.rows),
            eval_dataset=trl_dataset(job.test_rows) if job.test_rows else None,
            **starting_model(job, config, plan.chosen),
        )
        check_tokens(trainer, job.model)
    trainer.create_model_card = lambda *_, **__: None  # ours is written at the end, and has more in it
    guard = _guard(script.guard, trainer.train_dataset)
    for callback in filter(None, (guard, stamping(plan.training))):
        trainer.add_callback(callback)
    if config.disable_tqdm:
        _print_log_lines(trainer)
    with _trl_errors():  # what TRL has against a batch, or finds on the way
        _set_threads(trainer)
        report(trainer, max(step_of(checkpoint), 0) if checkpoint else 0, evaluation)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    history = History.of(trainer, script.guard, guard, plan.about())
    save(trainer, folder, {HISTORY: history.text(), STATE: plan.output.text(finished=False)}, job.start)
    trainer.accelerator.end_training()
    if config.world_size > 1:
        # The thread of the last barrier needs the GIL once more. If the model were freed before, which waits for that
        # thread with the GIL held, this process would never end.
        time.sleep(0.5)
    return history


def _print_log_lines(trainer: Any) -> None:
    """Print for each log, and every 10 seconds, a line with the time that is left, in place of transformers' dicts."""
    from transformers import PrinterCallback, TrainerCallback

    class LogLines(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.start, self.first_step = time.monotonic(), state.global_step
            self.printed = self.start

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= state.max_steps or control.should_training_stop:
                control.should_log = True  # else the loss of the last steps would not be logged
            elif not control.should_log and time.monotonic() - self.printed >= _SECONDS:
                self.show(state)

        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
            if shown := [f"{name} {float(logs[name]):.3f}" for name in _LOGGED if logs and name in logs]:
                self.show(state, *shown)

        def show(self, state: Any, *shown: str) -> None:
            self.printed = time.monotonic()
            per_step = (self.printed - self.start) / max(state.global_step - self.first_step, 1)
            left = f"{per_step * (state.max_steps - state.global_step):.0f} s left"
            say("  ".join((f"step {state.global_step}/{state.max_steps}", *shown, left)))

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(LogLines())


@contextmanager
def _trl_errors(kinds: tuple[type[Exception], ...] = (Exception,)) -> Iterator[None]:
    """Convert TRL's errors about flags and model to InputError, in one line."""
    try:
        yield
    except pairforge.PairforgeError:
        raise
    except kinds as error:
        if out_of_memory(error) or (isinstance(error, OSError) and (is_disk_full(error) or error.errno == errno.EPIPE)):
            raise
        line = str(error).strip().split("\n")[0]
        if not isinstance(error, (ValueError, ImportError, OSError, RuntimeError)):
            what = f"TRL can't train this model: {type(error).__name__}: {line}"
            fix = "pip install --upgrade trl transformers, or take another model"
            raise pairforge.InputError(what, fix=fix) from error
        line = line or type(error).__name__
        raise pairforge.InputError(f"TRL rejected these settings: {line}", fix="see --help") from error


def _guard(action: str, pairs: Any) -> Any:
    if action == "off":
        return None
    from .guard import CollapseGuard

    return CollapseGuard("warn" if action == "warn" else "stop", pairs=pairs)


def _set_hardware_options(job: TrainingJob, config: Any) -> None:
    import torch

    sizes = [file.stat().st_size for file in Path(pairforge.model_source(job.start.base)).glob("*.safetensors")]
    if config.use_cpu and sizes and sum(sizes) < _SMALL:
        torch.set_num_threads(1)
    # On several processes torch would look for unused parameters in each step, and warn. Only experts can be unused;
    # with gradient checkpointing transformers decides.
    if config.world_size > 1 and config.ddp_find_unused_parameters is None:
        config.ddp_find_unused_parameters = None if has_experts(job) else False


def _set_threads(trainer: Any) -> None:
    """Take the faster number of threads on the CPU, where they are not set and not shared with other processes."""
    import torch

    if trainer.args.device.type == "cpu" and trainer.args.world_size == 1:
        if line := thread_note(trainer.model):
            say(line)
        torch.set_num_threads(thread_count(trainer.model))


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
        # peft writes such patterns for experts itself, and not all of them match.
        warnings.filterwarnings("ignore", message="The following (rank|alpha)_pattern keys", category=RuntimeWarning)
        yield


if __name__ == "__main__":
    sys.exit(main())
