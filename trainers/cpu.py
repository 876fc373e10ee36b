"""What makes a training on a CPU faster, with the same results: only answers are scored, not prompts and padding."""

from __future__ import annotations

import inspect


def score_answers_alone() -> None:
    """Let TRL compute the log-probabilities of the answers alone, as it does on a GPU.

    On a CPU it also computes those of prompts and padding, and then drops them. Which it does, a function of TRL
    decides that also chooses Triton's kernels in another module; where it is not read as expected, nothing is changed.
    """
    from trl.trainer import utils

    source = inspect.getsource(utils)
    if source.count("compact = _use_triton(") == source.count("_use_triton(") == 1:
        utils._use_triton = lambda device: True
