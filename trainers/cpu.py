"""What makes a training on a CPU faster, with the same results: memory is used again, and only answers are scored."""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # glibc's malloc.h
_DEFAULTS = {_M_TRIM_THRESHOLD: 128 * 1024, _M_MMAP_MAX: 65536}
_STEPS = 5
"""After so many steps memory is given back."""


@contextmanager
def freed_memory_kept(trainer: Any) -> Iterator[None]:
    """Let this process use the memory again that it frees while the trainer trains.

    A training step makes and frees tensors of hundreds of megabytes. glibc gives each back to the kernel, which clears
    every page of the next one: a third of the CPU time of a step of SmolLM2-135M-Instruct. What is kept falls to pieces
    that fit no batch of another length, and would grow to twice the memory within a hundred steps; so it is all given
    back after every few steps. Without glibc nothing is changed.
    """
    from transformers import TrainerCallback

    try:
        libc = ctypes.CDLL(None)
        set_option, give_back = libc.mallopt, libc.malloc_trim
    except (AttributeError, OSError, TypeError):  # TypeError: on Windows, where there is no such library
        yield
        return

    class GivesBack(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step % _STEPS == 0:
                give_back(0)

    set_option(_M_MMAP_MAX, 0)
    set_option(_M_TRIM_THRESHOLD, -1)  # never
    trainer.add_callback(GivesBack())
    try:
        yield
    finally:
        for option, value in _DEFAULTS.items():
            set_option(option, value)
        give_back(0)


def score_answers_alone() -> None:
    """Let TRL compute the log-probabilities of the answers alone, as it does on a GPU.

    On a CPU it also computes those of prompts and padding, and then drops them. Which it does, a function of TRL
    decides that also chooses Triton's kernels in another module; where it is not read as expected, nothing is changed.
    """
    from trl.trainer import utils

    if inspect.getsource(utils).count("compact = _use_triton(") == inspect.getsource(utils).count("_use_triton(") == 1:
        utils._use_triton = lambda device: True
