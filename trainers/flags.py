"""The flags of `python -m trainers.dpo`: TRL's own, under this machine's and the recipe's defaults, and a few more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pairforge

CPU_SAMPLES = 1200
"""Pairs that a CPU takes by default: enough for a new name, and about a minute for the pocket model."""
QUESTIONS = 200
"""Of each kind that the verdict on a correction asks by default."""
_ALIASES = {"dataset_name": ("--dataset",), "model_name_or_path": ("-m", "--model")}
_SAVE_STEPS = 500  # transformers' default, which stands for "not said"
_LEAST = {"max_samples": 1, "verdict_questions": 0, "dpop_lambda": 0}
GUARD = ("stop", "warn", "off")


def trl() -> Any:
    """TRL, whose lazy exports a type checker doesn't see."""
    import trl

    return trl


def parse(argv: list[str], defaults: Mapping[str, Any]) -> Any:
    """Script, training and model arguments. What `argv` or its --config says wins over `defaults`.

    Raises InputError for flags that can't be used.
    """
    parser = trl().TrlParser((_arguments(), trl().DPOConfig, trl().ModelConfig), prog="python -m trainers.dpo")
    parser.set_defaults_with_config(**defaults)
    parser.error = _refuse  # argparse would print all usage, which is a screen or five
    for name, spelt in _ALIASES.items():
        parser.add_argument(*spelt, dest=name, default=None, help=f"The same as --{name}.")
    try:
        script, config, chosen = parser.parse_args_and_config(_spelt(argv))
    except (ValueError, OSError, ImportError) as error:
        _refuse(str(error).split("\n")[0], error)
    script.guard = "off" if script.guard is False else script.guard  # YAML reads `off` as false
    if script.guard not in GUARD:
        _refuse(f"--guard is one of {', '.join(GUARD)}")
    for name, least in _LEAST.items():
        if (given := getattr(script, name)) is not None and given < least:
            _refuse(f"--{name} is at least {least}")
    if config.save_strategy == "no" and config.save_steps != _SAVE_STEPS:
        config.save_strategy = type(config.save_strategy)("steps")
    return script, config, chosen


def _refuse(line: str, error: Exception | None = None) -> NoReturn:
    raise pairforge.InputError(f"the flags can't be used: {line}", fix="see --help") from error


def _spelt(argv: list[str]) -> list[str]:
    """`--config=FILE` as the two words that TRL looks for."""
    return [word for given in argv for word in (given.split("=", 1) if given.startswith("--config=") else [given])]


def _arguments() -> type:
    @dataclass
    class PairArguments(trl().ScriptArguments):  # type: ignore[misc]
        """TRL's script arguments and four more."""

        max_samples: int | None = field(
            default=None,
            metadata={"help": f"At most so many pairs, drawn with --seed (on a CPU {CPU_SAMPLES}, else all)."},
        )
        verdict_questions: int | None = field(
            default=None,
            metadata={
                "help": "Questions of each kind that the verdict asks; 0 leaves it out. (default: "
                f"{QUESTIONS}; all where a judge made the pairs, since a win rate takes many)"
            },
        )
        guard: str = field(
            default="stop",
            metadata={
                "help": "When the model collapses: stop and restore the last good weights, warn, or don't look (off).",
                "choices": list(GUARD),
            },
        )
        dpop_lambda: float = field(
            default=50.0, metadata={"help": "How much --loss_type dpop minds a chosen answer that gets less likely."}
        )

    return PairArguments
