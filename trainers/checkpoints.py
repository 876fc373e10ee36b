"""Checkpoints: which are complete, which belong to this training, and which to resume from. Saves the final model."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pairforge
from pairforge.disk import json_object
from pairforge.samplers.model_loading import POCKET

from .messages import say

STAMP = "pairforge.json"
"""A file in each checkpoint of this trainer: of which training it is, and how many processes wrote it."""
_NEVER, _LATEST = ("", "no", "none", "false", "0"), ("auto", "true", "1", "yes")
"""The values of --resume_from_checkpoint that are not a path."""
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "adapter_model.bin")
_SHARDED = ("global_step*", "pytorch_model_fsdp*", "optimizer_*")
"""Files of DeepSpeed and FSDP, in formats of their own; with these only trainer_state.json is checked."""


def resumed(asked: str | None) -> Path | str | None:
    """Return what `--resume_from_checkpoint` means: a checkpoint, "latest", or None for none."""
    if asked is None or asked.lower() in _NEVER:
        return None
    return "latest" if asked.lower() in _LATEST else Path(asked)


def to_resume(asked: str | None, folder: Path, training: str) -> Path | None:
    """Return the checkpoint to resume from; None to start from the beginning.

    The latest is the last one in `folder` that is complete and of this training (`training` is its digest; one without
    a stamp counts as of it). Raises InputError for a path to an incomplete one.
    """
    path = resumed(asked)
    if path is None:
        return None
    if isinstance(path, Path):
        if why := incomplete(path):
            raise pairforge.InputError(f"can't resume from {asked}: {why}", fix="--resume_from_checkpoint auto")
        if _of_another(path, training):
            say(f"{asked} was made with other pairs, another model or other flags")
        return path
    found, skipped = None, []
    for path in sorted(folder.glob("checkpoint-*"), key=step_of, reverse=True):
        why = incomplete(path) or ("of a training with other pairs or flags" if _of_another(path, training) else None)
        if not why:
            found = path
            break
        skipped.append(f"{path.name} ({why})")
    if skipped:
        say(f"skipped: {', '.join(skipped)}")
    say(f"resuming from {found}" if found else f"no checkpoint to resume from in {folder}: starting from the beginning")
    return found


def incomplete(checkpoint: Path) -> str | None:
    """Return why a training can't be resumed from a checkpoint; None if it can.

    Every file has to be there and complete: a process that is killed leaves some out, or one truncated.
    """
    if not checkpoint.is_dir():
        return "no such folder"
    if "global_step" not in json_object(checkpoint / "trainer_state.json"):  # what transformers writes last
        return "trainer_state.json is missing or truncated"
    if any(next(checkpoint.glob(pattern), None) for pattern in _SHARDED):
        return None
    weights = [file for pattern in _WEIGHTS for file in checkpoint.glob(pattern)]
    # One state of the random generators for each process; the stamp says how many there have to be.
    processes = json_object(checkpoint / STAMP).get("processes") or len([*checkpoint.glob("rng_state_*.pth")]) or 1
    random = [f"rng_state_{rank}.pth" if processes > 1 else "rng_state.pth" for rank in range(processes)]
    states = [checkpoint / name for name in ("optimizer.pt", "scheduler.pt", *random)]
    indexes = [json_object(file).get("weight_map", {}) for file in checkpoint.glob("*.index.json")]
    shards = [checkpoint / name for index in indexes for name in sorted({*index.values()})]
    missing = [file.name for file in (*states, *shards) if not file.exists()]
    if missing or not weights:
        return f"{missing[0] if missing else 'the weights'} missing"
    truncated = next((file.name for file in (*weights, *states) if _is_truncated(file)), None)
    return f"{truncated} is truncated" if truncated else None


def _of_another(checkpoint: Path, training: str) -> bool:
    return bool(json_object(checkpoint / STAMP).get("training", training) != training)


def _is_truncated(file: Path) -> bool:
    """Check a file's length against its header (safetensors), or for the directory that ends a zip file (torch)."""
    from safetensors import SafetensorError, safe_open

    if file.suffix != ".safetensors":
        return not zipfile.is_zipfile(file)
    try:
        with safe_open(file, framework="numpy"):  # reads the header alone
            return False
    except (OSError, SafetensorError):
        return True


def step_of(checkpoint: Path) -> int:
    """Return the step in a checkpoint's name; -1 if there is none."""
    return int(number[1]) if (number := re.fullmatch(r"checkpoint-(\d+)", checkpoint.name)) else -1


def checkpoint_folder(args: Any, state: Any) -> Path:
    """Return the folder of the checkpoint at the trainer's present step."""
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"


def stamping(training: str) -> Any:
    """Return a TrainerCallback that stamps each checkpoint, and empties its folder before it is written.

    Without that an interrupted save would leave new weights beside the states of an older training, all of them whole.
    """
    from transformers import TrainerCallback

    class Stamping(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if control.should_save:
                if state.is_world_process_zero:
                    shutil.rmtree(checkpoint_folder(args, state), ignore_errors=True)
                args.distributed_state.wait_for_everyone()  # the others write there, too

        on_epoch_end = on_step_end

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                stamp = json.dumps({"training": training, "processes": args.world_size})
                (checkpoint_folder(args, state) / STAMP).write_text(stamp + "\n", "utf-8")

    return Stamping()


_NOT_KEPT = ("training_args.bin", "README.md")  # a pickle that nothing here reads; a card that is written later
_CONFIGS = ("config.json", "adapter_config.json")
_OF_EARLIER_TRAINING = (
    *_CONFIGS, "verdict.json", "failures.jsonl", "history.json", "training.svg", "training.state", "README.md",
    "generation_config.json", "model*.safetensors*", "adapter_model*", "tokenizer*", "*.jinja",
)  # fmt: skip


def save(trainer: Any, folder: Path, files: Mapping[str, str] | None = None, start: Any = None) -> None:
    """Save the model to a temporary folder, then move it file by file, the configuration last.

    So a folder that has a configuration is complete. The files of an earlier training are removed first, so that an
    adapter and a model never lie in one folder. All processes have to call this; the first one writes. `files` are
    texts to save with the model, by their names; `start` is the ResolvedModel that an adapter names as its base, if
    it is not to name what TRL loaded.
    """
    temporary = folder / ".saving"
    trainer.model.config.use_cache = True  # training turns it off, and generation would always be slow
    if trainer.is_world_process_zero():
        shutil.rmtree(temporary, ignore_errors=True)  # of a training that was killed while it saved
    trainer.save_model(str(temporary))
    if not trainer.is_world_process_zero():
        return
    for name, text in (files or {}).items():
        (temporary / name).write_text(text, "utf-8")
    shutil.rmtree(temporary / "ref", ignore_errors=True)  # TRL's copy of an adapter that was trained on
    if start and start.base != POCKET and (settings := json_object(temporary / "adapter_config.json")):
        settings |= {"base_model_name_or_path": start.base, "revision": start.revision}
        (temporary / "adapter_config.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
    umask = os.umask(0)
    os.umask(umask)
    for pattern in _OF_EARLIER_TRAINING:
        for file in folder.glob(pattern):
            file.unlink()
    for file in sorted(temporary.iterdir(), key=lambda file: file.name in _CONFIGS):
        if file.name not in _NOT_KEPT:
            file.chmod(0o666 & ~umask)
            os.replace(file, folder / file.name)
    shutil.rmtree(temporary)
    say(f"weights saved in {folder}")
