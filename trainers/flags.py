"""The flags of `python -m trainers.dpo`: TRL's own, with the recipe's and this machine's defaults, and four more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pairforge

CPU_SAMPLES = 1200
"""The number of pairs trained on by default without a GPU: enough for a new name, a minute for the pocket model."""
QUESTIONS = 200
"""The number of questions of each kind in the verdict on a correction, by default."""
GUARD = ("stop", "warn", "off")
_ALIASES = {"dataset_name": ("--dataset",), "model_name_or_path": ("-m", "--model")}
_SAVE_STEPS = 500  # transformers' default: the flag was not given
_MINIMA = {"max_samples": 1, "verdict_questions": 0, "dpop_lambda": 0}


def trl() -> Any:
    """Return TRL, whose lazy exports a type checker doesn't see."""
    import trl

    return trl


def parse(argv: list[str], defaults: Mapping[str, Any]) -> Any:
    """Return TRL's script, training and model arguments; `argv` and its --config win over `defaults`.

    Raises InputError for flags that can't be used.
    """
    parser = trl().TrlParser((_script_arguments(), trl().DPOConfig, trl().ModelConfig), prog="python -m trainers.dpo")
    parser.set_defaults_with_config(**defaults)
    parser.error = _refuse  # argparse would print all usage, several screens of it
    for name, aliases in _ALIASES.items():
        parser.add_argument(*aliases, dest=name, default=None, help=f"The same as --{name}.")
    # TRL looks for --config and its file as two words.
    words = [word for given in argv for word in (given.split("=", 1) if given.startswith("--config=") else [given])]
    try:
        script, config, chosen = parser.parse_args_and_config(words)
    except (ValueError, OSError, ImportError) as error:
        _refuse(str(error).split("\n")[0], error)
    script.guard = "off" if script.guard is False else script.guard  # YAML reads `off` as false
    if script.guard not in GUARD:
        _refuse(f"--guard is one of {', '.join(GUARD)}")
    for name, minimum in _MINIMA.items():
        if (given := getattr(script, name)) is not None and given < minimum:
            _refuse(f"--{name} must be at least {minimum}")
    if config.save_strategy == "no" and config.save_steps != _SAVE_STEPS:
        config.save_strategy = type(config.save_strategy)("steps")
    return script, config, chosen


def _refuse(line: str, error: Exception | None = None) -> NoReturn:
    raise pairforge.InputError(f"the flags can't be used: {line}", fix="see --help") from error


def _script_arguments() -> type:
    def described(default: Any, text: str, **more: Any) -> Any:
        return field(default=default, metadata={"help": text, **more})

    @dataclass
    class PairArguments(trl().ScriptArguments):  # type: ignore[misc]
        """TRL's script arguments and four more."""

        max_samples: int | None = described(
            None, f"At most so many pairs, drawn with --seed (default: {CPU_SAMPLES} on a CPU, else all)."
        )
        verdict_questions: int | None = described(
            None,
            f"Questions of each kind in the verdict; 0 for no verdict. (default: {QUESTIONS}; all for pairs made by a "
            "judge, since a win rate takes many)",
        )
        guard: str = described(
            "stop",
            "If the model collapses: stop and restore the last good weights, only warn, or don't check (off).",
            choices=list(GUARD),
        )
        dpop_lambda: float = described(50.0, "Weight of the penalty that --loss_type dpop adds.")

    return PairArguments
