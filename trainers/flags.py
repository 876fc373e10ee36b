"""The flags of `pairforge train dpo`: TRL's own, with the recipe's and this machine's defaults, and a few more.

`Given` holds what the user gave, read without TRL, whose import takes many seconds: what is wrong is said at once.
`parse` has TRL's own parser read the same words.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any, NoReturn

import pairforge
from pairforge.prompts import LANGUAGES
from pairforge.text import did_you_mean, one_line

from .known_flags import Flag, trl_flags

CPU_SAMPLES = 1200
"""The number of pairs trained on by default without a GPU: enough for a new name, a minute for the pocket model."""
QUESTIONS = 200
"""The number of questions of each kind in the verdict on a correction, by default."""
GUARD = ("stop", "warn", "off")
OWN = (
    Flag(
        "max_samples", f"Train on at most N pairs, drawn with --seed. [default: {CPU_SAMPLES} on a CPU, else all]", int
    ),
    Flag(
        "verdict_questions",
        f"Questions of each kind in the verdict; 0 for no verdict. [default: {QUESTIONS}; all for pairs made by a "
        "judge, since a win rate takes many]",
        int,
    ),
    Flag(
        "verdict_lang",
        "Language of the questions in the verdict. [default: both]",
        str,
        choices=tuple(LANGUAGES),
    ),
    Flag("judge", "Judge that compares the answers in the verdict: reference, module:attr or file.py:attr.", str),
    Flag("suite", "Tasks of lm-evaluation-harness that the verdict also measures by, e.g. ifeval,gsm8k.", str),
    Flag(
        "guard",
        "If the model collapses: stop and restore the last good weights, only warn, or don't check (off).",
        default="stop",
        choices=GUARD,
    ),
    Flag(
        "columns",
        "Columns of the pairs that have other names than usual, e.g. 'prompt=question chosen=good rejected=bad'.",
        str,
    ),
    Flag("dpop_lambda", "Weight of the penalty that --loss_type dpop adds.", float, 50.0),
    Flag(
        "sweep",
        "Try several values of a flag in short trainings, and train with the best: NAME=VALUE,VALUE, e.g. "
        "learning_rate=1e-5,3e-5,1e-4.",
        str,
    ),
    Flag("sweep_only", "End after the sweep, and print the command with the best value.", bool, False),
    Flag("overwrite", "Replace the model that --output_dir holds.", bool, False),
)
"""The flags that TRL doesn't have."""
_ALIASES = {"dataset_name": ("--dataset",), "model_name_or_path": ("-m", "--model")}
_READ_EARLY = (
    "dataset_name", "dataset_config", "dataset_train_split", "dataset_test_split", "model_name_or_path",
    "model_revision", "output_dir", "eval_strategy", "use_peft", "resume_from_checkpoint", "learning_rate",
    "dataset_streaming", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps",
)  # fmt: skip
"""The flags of TRL that are needed before it is imported."""
_OTHER_NAMES = {
    "lr": "learning_rate",
    "epochs": "num_train_epochs",
    "steps": "max_steps",
    "batch_size": "per_device_train_batch_size",
    "loss": "loss_type",
    "lora": "use_peft",
    "peft": "use_peft",
    "data": "dataset",
    "pairs": "dataset",
    "limit": "max_samples",
    "output": "output_dir",
    "o": "output_dir",
    "out": "output_dir",
    "resume": "resume_from_checkpoint",
    "finetuning_type": "use_peft",
    "train_type": "use_peft",
    "lora_rank": "lora_r",
    "lora_target": "lora_target_modules",
    "pref_beta": "beta",
    "pref_loss": "loss_type",
    "cutoff_len": "max_length",
    "torch_dtype": "dtype",
}
"""What other tools call the flags."""
_NEEDLESS = ("stage", "rlhf_type", "template", "task")
"""Flags of other tools that choose what is settled here."""
_JOINED = re.compile(r"[\w.+-]+(,[\w.+-]+)+")
_SAVE_STEPS = 500  # transformers' default: the flag was not given
_MINIMA = {"max_samples": 1, "verdict_questions": 0, "dpop_lambda": 0}


def trl() -> Any:
    """Return TRL, whose lazy exports a type checker doesn't see."""
    import trl

    return trl


@dataclass(frozen=True)
class Given:
    """The values that the user gave, by the names of the flags: texts, a list of them, or what a YAML file holds."""

    values: Mapping[str, Any]

    @classmethod
    def of(cls, argv: Sequence[str]) -> Given:
        """Read the words of the command line and the file of --config; the words win.

        Raises InputError for a flag that doesn't exist, and for a value that its flag can't have.
        """
        known = trl_flags()
        flags = {**(known or {name: Flag(name, kind=None) for name in _READ_EARLY}), **{one.name: one for one in OWN}}
        words, unknown = _reader(flags, abbreviations=known is not None).parse_known_args(_separated(argv))
        given = vars(words)
        if known and unknown:
            raise _unknown(unknown[0], flags)
        values = {**_configured(given.pop("config", None), flags if known else None), **given}
        return cls(dict(_checked(values, flags)))

    def text(self, name: str) -> str | None:
        """Return a value as text; None if it was not given."""
        return str(self.values[name]) if self.values.get(name) is not None else None

    def texts(self, name: str) -> list[str]:
        """Return a value that may be a list as texts."""
        value = self.values.get(name)
        return [] if value is None else [*map(str, value)] if isinstance(value, list) else [str(value)]

    def number(self, name: str) -> float | None:
        """Return a value as a number; None if it was not given, or is none."""
        value = self.text(name)
        return None if value is None or value.lower() in ("none", "null") else float(value)

    def on(self, name: str) -> bool:
        """Return True if a yes-or-no flag was turned on."""
        return str(self.values.get(name, "no")).lower() in ("yes", "true", "t", "y", "1")


def _separated(argv: Sequence[str]) -> list[str]:
    """Return the words, `--config=FILE` as two: TRL looks for it so."""
    return [word for given in argv for word in (given.split("=", 1) if given.startswith("--config=") else [given])]


def _reader(flags: Mapping[str, Flag], abbreviations: bool) -> argparse.ArgumentParser:
    """Return a parser that accepts the same words as TRL's, and any values."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=abbreviations, argument_default=argparse.SUPPRESS)

    def error(message: str) -> NoReturn:
        # Each flag has two spellings, so that nearly every abbreviation is ambiguous to argparse.
        if found := re.match(r"ambiguous option: (\S+) could match", message):
            raise _unknown(found[1], flags)
        _refuse(message)

    parser.error = error  # type: ignore[method-assign]
    for name, flag in {"config": Flag("config"), **flags}.items():
        spellings = {f"--{name}": None, f"--{name.replace('_', '-')}": None}
        parser.add_argument(*spellings, *_ALIASES.get(name, ()), dest=name, nargs="*")
        if flag.kind is bool:
            no = {f"--no_{name}": None, f"--no-{name.replace('_', '-')}": None}
            parser.add_argument(*no, dest=name, action="store_const", const=["false"])
    return parser


def _unknown(word: str, flags: Mapping[str, Flag]) -> pairforge.InputError:
    """Return the error about a word that no flag takes."""
    if not word.startswith("-"):
        what = f"the word {one_line(word)!r} belongs to no flag"
        return pairforge.InputError(what, fix=f"if these are the pairs: --dataset {one_line(word)}")
    word = word.partition("=")[0]
    names = [f"--{name}" for name in (*flags, "dataset", "model", "config", "help", "help-all")]
    plain = word.lstrip("-").replace("-", "_")
    other = _OTHER_NAMES.get(plain)
    hint = f"did you mean --{other}?" if other else did_you_mean(word, names)
    if plain in _NEEDLESS:
        hint = "leave it out: this command trains by DPO, with the model's own chat template"
    return pairforge.InputError(f"there is no flag {one_line(word)}", fix=hint or "see --help-all")


def _configured(given: list[str] | None, flags: Mapping[str, Flag] | None) -> dict[str, Any]:
    """Read the YAML file of --config."""
    if not given:
        return {}
    import yaml

    file = Path(given[0])
    try:
        content = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise pairforge.InputError(f"--config {file}: {error.strerror}", fix="name a YAML file of flags") from error
    except (ValueError, yaml.YAMLError) as error:
        mark, why = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = f"line {mark.line + 1}: {one_line(why)}" if mark and why else one_line(error)
        raise pairforge.InputError(f"--config {file} is not YAML: {line}", fix="lines such as beta: 0.3") from error
    if not isinstance(content, dict):
        raise pairforge.InputError(f"--config {file} is not a mapping", fix="lines such as beta: 0.3")
    content.pop("env", None)
    if flags and (wrong := next((str(name) for name in content if name not in flags), None)):
        hint = did_you_mean(wrong, flags)
        raise pairforge.InputError(f"--config {file}: there is no flag {one_line(wrong)}", fix=hint or "see --help-all")
    return content


def _checked(values: Mapping[str, Any], flags: Mapping[str, Flag]) -> Iterator[tuple[str, Any]]:
    """Yield each flag with its value, a list where there are several. Raises InputError for what it can't have."""
    for name, given in values.items():
        flag, words = flags[name], given if isinstance(given, list) else [given]
        if name == "guard" and given is False:
            words = ["off"]  # as YAML reads it
        if not words and flag.kind is bool:
            words = [True]
        if not words and (flag.kind in (int, float) or flag in OWN or name in _READ_EARLY):
            _refuse(f"--{name} needs a value")
        if len(words) > 1 and flag.kind is not None and not flag.many:
            raise _unknown(str(words[1]), flags)
        if flag.many and (joined := next((one for one in map(str, words) if _JOINED.fullmatch(one)), None)):
            what = f"--{name} {joined}: several values are separated by spaces"
            raise pairforge.InputError(what, fix=f"--{name} {joined.replace(',', ' ')}")
        if why := next(filter(None, map(flag.wrong, words)), None):
            hint = did_you_mean(str(words[0]), flag.choices)
            raise pairforge.InputError(f"--{name} {' '.join(map(one_line, words))} {why}", fix=hint or "see --help")
        yield name, words[0] if len(words) == 1 and not flag.many else words
    for name, minimum in _MINIMA.items():
        value = values.get(name)
        if value and float(value[0] if isinstance(value, list) else value) < minimum:
            _refuse(f"--{name} must be at least {minimum}")


def parser(defaults: Mapping[str, Any]) -> Any:
    """Return TRL's parser of its script, training and model arguments, with our flags and defaults."""
    made = trl().TrlParser((_script_arguments(), trl().DPOConfig, trl().ModelConfig), prog="pairforge train dpo")
    made.set_defaults_with_config(**defaults)
    made.error = _refuse  # argparse would print all usage, several screens of it
    for name, aliases in _ALIASES.items():
        made.add_argument(*aliases, dest=name, default=None, help=f"The same as --{name}.")
    return made


def parse(argv: Sequence[str], defaults: Mapping[str, Any]) -> Any:
    """Return TRL's script, training and model arguments; `argv` and its --config win over `defaults`.

    Raises InputError for flags that can't be used.
    """
    try:
        script, config, chosen = parser(defaults).parse_args_and_config(_separated(argv))
    except (ValueError, OSError, ImportError) as error:
        _refuse(str(error).split("\n")[0], error)
    script.guard = "off" if script.guard is False else script.guard  # YAML reads `off` as false
    if config.save_strategy == "no" and config.save_steps != _SAVE_STEPS:
        config.save_strategy = type(config.save_strategy)("steps")
    return script, config, chosen


def _refuse(line: str, error: Exception | None = None) -> NoReturn:
    raise pairforge.InputError(f"the flags can't be used: {line}", fix="see --help") from error


def _script_arguments() -> type:
    """Return TRL's script arguments with ours."""
    fields = []
    for one in OWN:
        metadata = {"help": one.help} | ({"choices": list(one.choices)} if one.choices else {})
        type_: Any = one.kind if one.default is not None else one.kind | None  # type: ignore[operator]
        fields.append((one.name, type_, field(default=one.default, metadata=metadata)))
    return make_dataclass("PairArguments", fields, bases=(trl().ScriptArguments,))
