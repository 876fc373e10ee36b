"""Checkpoints: which are whole, which are of this training, and which to go on from.

Writes weights and files whole or not at all.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pairforge

from .data import say

STAMP = "pairforge.json"
"""Stands in a checkpoint that this trainer made: which training it is of, and how many processes wrote it."""
_NO = ("", "no", "none", "false", "0")
_LATEST = ("auto", "true", "1", "yes")
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "adapter_model.bin")
_SHARDED = ("global_step*", "pytorch_model_fsdp*", "optimizer_*")
"""What DeepSpeed and FSDP leave: their own formats, of which only trainer_state.json is looked at."""


def to_resume(asked: str | None, folder: Path, training: str) -> Path | None:
    """The checkpoint that `--resume_from_checkpoint` means; None for a start from the beginning.

    "auto" or "true" is the last one in `folder` that is whole and of this training (`training` is its digest; one
    without a stamp counts as of it). A path has to be whole. Raises InputError where it isn't.
    """
    if asked is None or asked.lower() in _NO:
        return None
    if asked.lower() not in _LATEST:
        path = Path(asked)
        if why := broken(path):
            raise pairforge.InputError(f"can't go on from {asked}: {why}", fix="--resume_from_checkpoint auto")
        if other(path, training):
            say(f"{asked} was made with other pairs, another model or other flags")
        return path
    passed: list[str] = []
    for path in sorted(folder.glob("checkpoint-*"), key=step_of, reverse=True):
        why = broken(path) or other(path, training)
        if not why:
            _tell(passed, f"going on from {path}")
            return path
        passed.append(f"{path.name} ({why})")
    _tell(passed, f"no checkpoint to go on from in {folder}: starting from the beginning")
    return None


def _tell(passed: list[str], line: str) -> None:
    if passed:
        say(f"passed over: {', '.join(passed)}")
    say(line)


def broken(checkpoint: Path) -> str | None:
    """Why a training can't go on from here as if nothing had been; None where it can.

    Every file has to be there and to have its end: a process that is killed leaves some out, or cuts one off.
    """
    if not checkpoint.is_dir():
        return "no such folder"
    if "global_step" not in _json(checkpoint / "trainer_state.json"):  # what transformers writes last
        return "trainer_state.json is missing or cut off"
    if any(next(checkpoint.glob(pattern), None) for pattern in _SHARDED):
        return None
    weights = [file for pattern in _WEIGHTS for file in checkpoint.glob(pattern)]
    states = [checkpoint / "optimizer.pt", checkpoint / "scheduler.pt", *_random_states(checkpoint)]
    missing = [file.name for file in (*states, *_shards(checkpoint)) if not file.exists()]
    if missing or not weights:
        return f"{missing[0] if missing else 'the weights'} missing"
    cut = next((file.name for file in (*weights, *states) if not _whole(file)), None)
    return f"{cut} is cut off" if cut else None


def other(checkpoint: Path, training: str) -> str | None:
    """Says that the stamp is of another training; None where it is of this one, or there is none."""
    made = _json(checkpoint / STAMP).get("training", training)
    return None if made == training else "of a training with other pairs or flags"


def _random_states(checkpoint: Path) -> list[Path]:
    """The files of the random generators, one a process; a stamp says how many there have to be."""
    processes = _json(checkpoint / STAMP).get("processes") or len([*checkpoint.glob("rng_state_*.pth")]) or 1
    return [checkpoint / (f"rng_state_{rank}.pth" if processes > 1 else "rng_state.pth") for rank in range(processes)]


def _shards(checkpoint: Path) -> list[Path]:
    """The files that an index of the weights names."""
    maps = [_json(file).get("weight_map", {}) for file in checkpoint.glob("*.index.json")]
    return [checkpoint / name for names in maps for name in sorted({*names.values()})]


def _whole(file: Path) -> bool:
    """Whether a file of tensors ends where it says: the header of safetensors, the directory of torch's zip files."""
    if file.suffix != ".safetensors":
        return zipfile.is_zipfile(file)
    try:
        with open(file, "rb") as stream:
            (size,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(size))
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        return file.stat().st_size == 8 + int(size) + int(max(ends, default=0))
    except (OSError, ValueError, KeyError, struct.error, MemoryError, OverflowError):
        return False


def _json(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def step_of(checkpoint: Path) -> int:
    """The step in its name; -1 where there is none."""
    number = re.fullmatch(r"checkpoint-(\d+)", checkpoint.name)
    return int(number[1]) if number else -1


def stamping(training: str) -> Any:
    """A TrainerCallback that stamps each checkpoint, and clears the place where one is about to be written.

    Without that a save that is cut off would leave new weights beside an older training's states, all of them whole.
    """
    from transformers import TrainerCallback

    class Stamping(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if control.should_save:
                if state.is_world_process_zero:
                    shutil.rmtree(_place(args, state), ignore_errors=True)
                args.distributed_state.wait_for_everyone()  # the others write there, too

        on_epoch_end = on_step_end

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                stamp = json.dumps({"training": training, "processes": args.world_size})
                (_place(args, state) / STAMP).write_text(stamp + "\n", "utf-8")

    return Stamping()


def _place(args: Any, state: Any) -> Path:
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"


_LEFT = ("training_args.bin", "README.md")  # a pickle that nothing here reads; a card that is written later
_CONFIGS = ("config.json", "adapter_config.json")
_FORMER = (*_CONFIGS, "verdict.json", "model*.safetensors*", "adapter_model*")


def save(trainer: Any, folder: Path) -> None:
    """Save aside, then move file by file. The configuration comes last: a folder that has one is whole.

    All processes have to call it; the first one writes. What a former training left there goes first, so that an
    adapter never stands beside a model.
    """
    aside = folder / ".saving"
    trainer.model.config.use_cache = True  # training turns it off, and generation would be slow for ever
    if trainer.is_world_process_zero():
        shutil.rmtree(aside, ignore_errors=True)  # of a training that was killed while it saved
    trainer.save_model(str(aside))
    if not trainer.is_world_process_zero():
        return
    umask = os.umask(0)
    os.umask(umask)
    for pattern in _FORMER:
        for file in folder.glob(pattern):
            file.unlink()
    for file in sorted(aside.iterdir(), key=lambda file: file.name in _CONFIGS):
        if file.name not in _LEFT:
            file.chmod(0o666 & ~umask)
            os.replace(file, folder / file.name)
    shutil.rmtree(aside)
    say(f"saved: {folder}")


def write(path: Path, text: str) -> None:
    """A file that takes its name when it is whole."""
    temp = path.with_name(f".{path.name}.tmp")
    temp.write_text(text, "utf-8")
    os.replace(temp, path)
