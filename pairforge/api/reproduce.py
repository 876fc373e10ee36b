"""reproduce: the command that made a published set or a run; where asked to, run again, and the pairs compared."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .. import formats
from ..errors import InputError
from ..hub.data_files import public_row
from ..hub.manifest import FILE, Manifest, RowsDigest
from ..hub.repository import connected
from ..markdown import without_places
from ..notebook import HtmlRepr
from ..options.common import BudgetOptions, PromptOptions
from ..options.correction import CorrectOptions, ExtraPairOptions, NameOptions
from ..options.declaration import as_tuple, flag_of, keywords, values_of, words_of
from ..options.hub import ReproduceOptions
from ..options.judging import OnpolicyOptions, PickOptions
from ..options.sampling import DecodingOptions, TemperatureOption
from ..prompts import BUNDLED
from ..readers import hub_id
from ..resources import installed_versions
from ..run import Run, out_dir
from ..samplers.model_loading import POCKET
from ..samplers.model_names import HUB_ID
from ..text import did_you_mean, one_line, visible
from .build_result import BuildResult
from .correct import correct
from .dataset_build import place_in_split
from .inputs import find_run
from .onpolicy import BUILT_IN, onpolicy
from .pull import Published, hub_name

FOLDER = "reproduced"
"""Where the runs are made that are compared with others, under the folder of all runs."""
_VERBS: Mapping[str, tuple[type, Callable[..., BuildResult]]] = {
    "correct": (CorrectOptions, correct),
    "onpolicy": (OnpolicyOptions, onpolicy),
}
_FREE = (NameOptions, PromptOptions, ExtraPairOptions, DecodingOptions, TemperatureOption, BudgetOptions, PickOptions)
_HARMLESS = {one.name for kind in _FREE for one in fields(kind)} - {"rules"}
_HARMLESS |= {"revise", "max_edit", "n", "vote", "dtype", "revision", "chat_template_kwargs", "batch_size"}
"""The options that name no code, file or server."""
_HARMLESS_VALUES: Mapping[str, Callable[[str], bool]] = {
    "judge": lambda value: [*as_tuple(value)] in ([], [BUILT_IN]),
    "prompts": lambda value: value in BUNDLED or hub_id(value) is not None,
    "model": lambda value: value == POCKET or _is_on_hub(value),
}
_OWN = ("output", "quiet", "fresh", "name", "device", "concurrency", "timeout")
"""The options that the pairs do not depend on."""


@dataclass(frozen=True)
class Recipe:
    """What is known of how pairs were made: `argv`, the settings, the digest of the pairs and who made them."""

    of: str
    argv: Sequence[str]
    settings: Mapping[str, Any]
    counts: Mapping[str, Any]
    digest: str
    test_rows: int = 0
    models: Sequence[Mapping[str, Any]] = ()
    version: str | None = None

    @classmethod
    def of_manifest(cls, text: str, name: str, where: str) -> Recipe:
        """Return that of a config, as its manifest says it."""
        config = Manifest.read(text, where).configs[name]
        test_rows = config.splits["test"].rows if "test" in config.splits else 0
        known = config.argv, config.settings, config.counts, config.digest, test_rows, config.models
        return cls(where, *known, json.loads(text).get("pairforge"))

    @classmethod
    def find(cls, options: ReproduceOptions) -> Recipe:
        """Return that of the run or data set that is named. Raises InputError or OutsideError."""
        if folder := find_run(options.source, options.output):
            run = Run.load(folder)
            pulled = run.settings.get("pulled")
            if isinstance(pulled, Mapping) and (folder / FILE).is_file():
                return cls.of_manifest((folder / FILE).read_text("utf-8"), str(pulled.get("config")), run.path.name)
            return cls(run.path.name, run.argv, run.settings, run.counts, published_digest(run))
        if "/" not in str(options.source):
            fix = "see: pairforge runs list; a data set on the Hub is written OWNER/NAME"
            raise InputError(f"no run is called '{one_line(str(options.source))}'", fix=fix)
        repo, _ = hub_name(options.source)
        with connected(repo, "dataset", quiet=options.quiet, revision=options.revision, writes=False) as target:
            head = target.head()
            found = Published.find(target, head, options.config)
        if found is None:
            raise InputError(f"{repo} has no {FILE}: nothing says how it was made", fix=f"pairforge pull {repo}")
        return cls.of_manifest(found.text, found.name, f"{repo} at {head.sha[:7]}")

    def command(self, given: Sequence[tuple[str, str]]) -> PairCommand:
        """Return the command, with the options that the user gave in place of its own.

        Raises InputError where it is no command that makes pairs, or has words that are no options of it.
        """
        verb = self.argv[1] if len(self.argv) > 1 and self.argv[0] == "pairforge" else ""
        if verb not in _VERBS:
            known = f"{one_line(shlex.join(self.argv))} does not make pairs" if self.argv else "no command is known"
            raise InputError(f"{self.of}: {known}", fix="see its card, and pairforge runs show")
        kind, _ = _VERBS[verb]
        flags = {flag_of(one).removeprefix("--"): one.name for one in fields(kind)}
        if unknown := next((name for name, _ in given if name not in flags), None):
            fix = did_you_mean(unknown, flags) or f"see: pairforge {verb} --help"
            raise InputError(f"--set {visible(unknown)}: {verb} has no such option", fix=fix)
        said = {name: value for name, value in values_of(kind, self.argv[2:]).items() if name not in _OWN}
        own = values_of(kind, [word for name, value in given for word in (f"--{name}", value)])
        outside = [flag for flag, name in flags.items() if name in {*said} - {*own} and _is_outside(name, said[name])]
        sha = next((one.get("revision") for one in self.models if one["name"] == said.get("model")), None)
        if "model" in own:
            said.pop("revision", None)
        elif sha and "model" not in outside and said["model"] != POCKET:
            said.setdefault("revision", sha)
        return PairCommand(verb, {**said, **own}, outside)


@dataclass(frozen=True)
class PairCommand:
    """A command that makes pairs, with its keyword arguments; `outside` are the options that only a user may name."""

    verb: str
    arguments: Mapping[str, Any]
    outside: Sequence[str]

    def __str__(self) -> str:
        kind, _ = _VERBS[self.verb]
        return shlex.join(["pairforge", self.verb, *words_of(kind(**self.arguments))])

    def run(self, of: str, **more: Any) -> BuildResult:
        """Run it. Raises InputError where it names code, a file or a server that the user has not named."""
        if self.outside:
            named = ", ".join(f"--{flag}" for flag in self.outside)
            fix = f"add {' '.join(f'--set {flag}=...' for flag in self.outside)}"
            raise InputError(f"{of}: its command has {named}, used only where you name it", fix=fix)
        _, make = _VERBS[self.verb]
        return make(**self.arguments, **more)


def _is_outside(name: str, value: Any) -> bool:
    """Return whether an option names code, a file or a server, of which data may name none."""
    return not (_HARMLESS_VALUES[name](value) if name in _HARMLESS_VALUES else name in _HARMLESS)


def _is_on_hub(model: str) -> bool:
    """Return whether a name is that of a model on the Hub, and of no folder here."""
    return bool(HUB_ID.fullmatch(model)) and "/" in model and not os.path.exists(model)


def published_digest(run: Run, test_rows: int = 0) -> str:
    """Return the digest of a run's pairs, as they are published, so many of them in the split `test`."""
    places = sorted(map(place_in_split, formats.rows(str(run.pairs)))) if test_rows else []
    limit = places[test_rows] if test_rows < len(places) else 0
    found = RowsDigest()
    for row in formats.rows(str(run.pairs)):
        found.add(public_row(row), "test" if test_rows and place_in_split(row) < limit else "train")
    return found.hexdigest()


@dataclass
class Reproduction(HtmlRepr):
    """The command that makes the pairs, and, where it was run, the run that it made and the digest of its pairs."""

    recipe: Recipe
    command: PairCommand
    made: BuildResult | None = None
    digest: str | None = None

    @property
    def ok(self) -> bool:
        return self.made is None or self.digest == self.recipe.digest

    @property
    def exit_code(self) -> int:
        """3 for a run that is not whole, 1 for other pairs."""
        return 1 if self.made is None or self.made.ok else self.made.exit_code

    @property
    def reasons(self) -> list[str]:
        """What is otherwise than where the pairs were made first, where the pairs are."""
        if self.ok or self.made is None:
            return []
        own = installed_versions("pairforge").get("pairforge")
        version = [f"pairforge: {self.recipe.version} -> {own}"] if self.recipe.version not in (None, own) else []
        old, new = (
            Run(Path(), "", {**without_places(settings), "pairs": pairs})
            for settings, pairs in (
                (self.recipe.settings, self.recipe.counts.get("pairs")),
                (self.made.run.settings, self.made.counts["pairs"]),
            )
        )
        marks = ("pulled.", "sampling.given:", "judge.given:")
        return version + [one_line(line, 200) for line in new.changes(old) if not line.startswith(marks)]

    def as_json(self) -> dict[str, Any]:
        said = {"command": "reproduce", "ok": self.ok, "of": self.recipe.of, "command_line": str(self.command)}
        said |= {"run": str(self.made.run.path) if self.made else None, "same": self.ok if self.made else None}
        return said | {"digest": self.digest, "expected": self.recipe.digest, "differences": self.reasons}

    @property
    def brief(self) -> str:
        """The command, or the folder of the run that it made."""
        return visible(str(self.made.run.path if self.made else self.command))

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        yield visible(str(self.command))
        if self.made is None:
            yield f"digest of the pairs: {self.recipe.digest}"
            named = "".join(f" --set {flag}=..." for flag in self.command.outside)
            yield f"to run it, and compare: --run{named}"
            return
        yield visible(str(self.made.run.path))
        if self.ok:
            yield f"the same pairs as {visible(self.recipe.of)}: {self.digest}"
            return
        yield f"other pairs than {visible(self.recipe.of)}: {self.digest}, expected {self.recipe.digest}"
        yield from (visible(f"  {line}") for line in self.reasons)
        if not self.reasons:
            yield "  versions and settings are the same: answers of a server, or of other hardware, can differ"


@keywords(ReproduceOptions)
def reproduce(options: ReproduceOptions) -> Reproduction:
    """Return the command that made a published set or a run; with `run`, run it and compare the pairs.

    Options that name code, files or servers are taken from `set` alone. The run is made in a folder of its own,
    `reproduced` under `output`, so that no answer is taken that is here already.

    Raises InputError and OutsideError.
    """
    parts = [text.partition("=") for text in as_tuple(options.set)]
    if wrong := next((name for name, sign, value in parts if not (name and sign and value)), None):
        raise InputError(f"--set {visible(wrong)} must be OPTION=VALUE", fix="e.g. --set judge=my_judge.py:score")
    recipe = Recipe.find(options)
    command = recipe.command([(name.removeprefix("--"), value) for name, _, value in parts])
    done = Reproduction(recipe, command)
    if options.run:
        done.made = command.run(recipe.of, output=str(out_dir(options.output) / FOLDER), quiet=options.quiet)
        done.digest = published_digest(done.made.run, recipe.test_rows)
    return done
