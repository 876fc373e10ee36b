"""train: DPO on pairs, by the package `trainers` that comes with pairforge."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..options.common import PairData

_FOLDER = Path(__file__).resolve().parents[2] / "trainers"
_OWN_NAME = "pairforge_trainers"
"""The name of our trainers where another package is called `trainers`."""


def train(
    data: PairData = None, model: str | None = None, output: str | PathLike[str] | None = None, **flags: Any
) -> Any:
    """Train on pairs with DPO, judge the model before and after, and return a TrainingResult.

    `pairforge train dpo` does the same. The result has `output` (the folder of the trained model), `verdict`,
    `history`, and `ok`, which is False if the verdict fails or the guard stopped the training. Progress is printed on
    stderr, the answers and the verdict on stdout.

    Args:
        data: The pairs: a run, a file, a data set on the Hub, or rows (a list, a `datasets.Dataset`); by default those
            of the latest run. Only pairs of a run get a verdict.
        model: The model to train, a folder or a Hub id; by default the one that the pairs name.
        output: The folder of the trained model; by default `<run>/model`, or `model-2` where that holds one.
        flags: Flags of `pairforge train dpo`, ours and TRL's, e.g. `beta=0.3, use_peft=True, guard="warn"`.

    Raises InputError or OutsideError.
    """
    named = data is None or isinstance(data, (str, PathLike))
    given = {"dataset_name": data if named else None, "model_name_or_path": model, "output_dir": output}
    if twice := next((name for name, value in given.items() if value is not None and name in flags), None):
        raise InputError(f"{twice} is given twice", fix="give it once")
    words = [*_words({**given, **flags})]
    return trainer_module("dpo").train(words, None if named else data)


def _words(flags: Mapping[str, Any]) -> Iterator[str]:
    """Yield the flags as the words of a command line."""
    for name, value in flags.items():
        if value is not None:
            values = value if isinstance(value, (list, tuple)) else [value]
            yield f"--{name}"
            yield from (json.dumps(one) if isinstance(one, Mapping) else str(one) for one in values)


def trainer_module(name: str) -> Any:
    """Import a module of the trainers beside pairforge, whatever else is called `trainers` on `sys.path`."""
    package = "trainers" if _is_found() else _OWN_NAME
    if package == _OWN_NAME and package not in sys.modules:
        spec = ModuleSpec(package, None, is_package=True)
        spec.submodule_search_locations = [str(_FOLDER)]
        sys.modules[package] = module_from_spec(spec)
    return importlib.import_module(f"{package}.{name}")


def _is_found() -> bool:
    """Return True if `import trainers` gives ours, and nothing else under that name."""
    try:
        found = find_spec("trainers")
    except ValueError:  # a module without a spec
        return False
    places = [*(found.submodule_search_locations or [])] if found else []
    return bool(places) and all(Path(place).resolve() == _FOLDER for place in places)
