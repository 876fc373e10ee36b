"""The help of `pairforge train dpo`: our flags, the recipe, and the flags of TRL that people change most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from click import HelpFormatter

from .flags import OWN, parser
from .known_flags import Flag, trl_flags
from .recipes import ALWAYS, CORRECTION, LORA_RATE, PREFERENCE, STEPS

_OFTEN = {
    "num_train_epochs": ("X", "How often to go through the pairs."),
    "max_steps": ("N", "Stop after N steps, whatever the epochs."),
    "per_device_train_batch_size": ("N", "Pairs in a step (of all processes together by default, of each if given)."),
    "gradient_accumulation_steps": ("N", "Batches in a step."),
    "max_length": ("N", "Tokens of a side that are kept, prompt included."),
    "use_peft": ("", "Train a LoRA adapter instead of all weights; --lora_r, --lora_alpha and others go with it."),
    "save_steps": ("N", "Save a checkpoint every N steps; by default none is saved."),
    "resume_from_checkpoint": ("auto|DIR", "Go on from the last whole checkpoint of this training."),
    "seed": ("N", "Seed of the order of pairs, and of what --max_samples draws."),
    "report_to": ("NAME", "wandb, tensorboard, trackio or another tracker."),
}
"""The flags of TRL that are changed most, with what they take."""


def short_help() -> str:
    """Return the help of the flags that matter most; TRL is not imported."""
    out = HelpFormatter(width=80)
    out.write_usage("pairforge train dpo", "[FLAGS]     (the same: python -m trainers.dpo)")
    out.write_paragraph()
    out.write_text(
        "Train on preference pairs with TRL's DPOTrainer, and judge the model before and after. Without flags it takes "
        "the pairs of the latest run and the model that the run asked. The trained model goes to <run>/model, the next "
        "one to <run>/model-2."
    )
    _section(out, "Pairs and models", _PAIRS)
    _section(out, "Checks and verdict", [(_head(one), one.help) for one in OWN if one.name != "overwrite"])
    _section(out, "Recipe", _recipe())
    _section(out, "Flags of TRL that are changed most", [_often(name, *how) for name, how in _OFTEN.items()])
    _section(out, "More", _MORE)
    return out.getvalue().rstrip()


_PAIRS = [
    ("--dataset RUN|FILE|ORG/NAME", "The pairs: a run, latest~1, a file, or a data set on the Hub."),
    ("-m, --model MODEL", "The model to train: a folder, a Hub id, or pocket. [default: the one that the pairs name]"),
    ("--output_dir DIR", "The folder of the trained model; one that holds a model is refused."),
    ("--overwrite", "Replace the model that --output_dir holds."),
]
_MORE = [
    ("--config FILE", "A YAML file of flags, e.g. beta: 0.3; the command line wins over it."),
    ("--help", "This text."),
    ("--help-all", "All flags of TRL, which has to be loaded for that: it takes some seconds."),
]


def _section(out: HelpFormatter, title: str, rows: list[tuple[str, str]]) -> None:
    with out.section(title):
        out.write_dl(rows, col_max=28)


def _head(flag: Flag) -> str:
    values = "|".join(flag.choices) or {int: "N", float: "X"}.get(flag.kind or str, "")
    return f"--{flag.name} {values}"


def _recipe() -> list[tuple[str, str]]:
    """Return the settings of the recipe: what they are for corrections, and for other pairs."""

    def both(name: str) -> str:
        pair = (_shown(settings[name]) for settings in (CORRECTION, PREFERENCE))
        return "{} for corrections, {} for other pairs".format(*pair)

    rate = f"{both('learning_rate')}, for pocket in {STEPS} steps; times {LORA_RATE:g} with --use_peft"
    return [
        ("--learning_rate X", f"[default: {rate}, lower for larger models and longer trainings]"),
        ("--beta X", f"How strongly the model is held to what it was. [default: {both('beta')}]"),
        ("--loss_type NAME...", f"Losses, with --loss_weights if not equal. [default: {both('loss_type')}]"),
    ]


def _often(name: str, metavar: str, text: str) -> tuple[str, str]:
    known = (trl_flags() or {}).get(name)
    default = ALWAYS.get(name, known.default if known else None)
    if name == "save_steps":
        default = None  # it is used only where the flag is given
    shown = f" [default: {_shown(default)}]" if default not in (None, False, -1) else ""
    return f"--{name} {metavar}".rstrip(), text + shown


def _shown(value: Any) -> str:
    return "+".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)


def all_help(defaults: Mapping[str, Any]) -> str:
    """Return the help of all flags, which TRL's parser makes; `defaults` are the recipe's."""
    first = "The defaults are those for corrections; other pairs and models have others: see --help.\n\n"
    return first + str(parser(defaults).format_help()).rstrip()
