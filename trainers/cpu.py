"""What makes a training on a CPU faster, with the same results: memory is used again, and only answers are scored."""

from __future__ import annotations

import ctypes
import inspect
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # glibc's malloc.h


def speed_up() -> None:
    """Set this process up for a training on the CPU; call this before the trainer is made."""
    keep_freed_memory()
    score_answers_alone()


def keep_freed_memory() -> None:
    """Let this process use the memory again that it frees.

    A training step makes and frees tensors of hundreds of megabytes. glibc gives each back to the kernel, which clears
    every page of the next one: a third of the CPU time of a step of SmolLM2-135M-Instruct. Without glibc nothing is
    changed.
    """
    with suppress(AttributeError, OSError, TypeError):  # TypeError: on Windows, where there is no such library
        set_option = ctypes.CDLL(None).mallopt
        set_option(_M_MMAP_MAX, 0)
        set_option(_M_TRIM_THRESHOLD, -1)  # never


def score_answers_alone() -> None:
    """Let TRL compute the log-probabilities of the answers alone, as it does on a GPU.

    On a CPU it also computes those of prompts and padding, and then drops them. Which it does, a function of TRL
    decides that also chooses Triton's kernels in another module; where it is not read as expected, nothing is changed.
    """
    from trl.trainer import utils

    if inspect.getsource(utils).count("compact = _use_triton(") == inspect.getsource(utils).count("_use_triton(") == 1:
        utils._use_triton = lambda device: True
