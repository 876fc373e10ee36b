"""Writes weights and files whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from .job import say

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
