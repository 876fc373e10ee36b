"""The data set that a push uploads, built in a folder: its configs from pairs, with the card and the manifest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeAlias

from .. import formats
from ..checks.gate import Gate, allowances
from ..checks.row import well_shaped
from ..checks.rule import OF_ROWS, RULES
from ..checks.runner import RowChecker
from ..checks.secrets import SecretChecker
from ..checks.shortcuts.audit import ShortcutChecker
from ..console import note
from ..conversation import context_of, written
from ..disk import git_id, sha256_of, write_atomic
from ..errors import InputError, PairforgeError
from ..formats import TARGETS
from ..hub import croissant, dataset_card, manifest
from ..hub.data_files import write_config
from ..hub.dataset_upload import CARD_FILE, DATA_FOLDER, BuiltDataset
from ..hub.language import LanguageCounter
from ..hub.licensing import licenses
from ..hub.manifest import DataConfig, Manifest, RowsDigest
from ..markdown import public_name, without_places
from ..options.hub import PushOptions
from ..readers import files_of
from ..readers.spool import batched
from ..resources import installed_versions, resource
from ..run import Run
from ..stages import judged_group, score_keys, stored_scores
from ..store import Store
from ..text import byte_size, plural
from ..types import Answer, Finding, Prompt, Skip, digest
from .inputs import PairInput

CANDIDATES = "candidates"
_CONFIGS = {"correct": "correction", "onpolicy": "onpolicy", "best_worst": "onpolicy"}
"""The config of the pairs of a command, and of a method."""
_CHECKS = [
    code
    for code, one in RULES.items()
    if one.over in (*OF_ROWS, "dataset", "secrets")
    and code not in ("PF206", "PF207", "PF212", "PF213")  # near-duplicates and unusual lines, which take as long again
]
_SECRETS = SecretChecker(["PF501"])
_AUDITED = 500
"""Prompts in which shortcuts are looked for: one that stops a push is in a tenth of all."""
_CONTEXTS = 1000
"""System messages that are counted."""
_BATCH = 256
"""Prompts whose answers are read from the store together."""
_MOST_CANDIDATES = 20_000_000_000  # bytes of Parquet


class CheckedRows:
    """The pairs to publish, checked while they are read for the first time; after an error none follow.

    `gate` holds what was found, `models` whose answers the pairs are, `methods` how they were made, `facts` what else
    the manifest says of them.
    """

    def __init__(self, source: PairInput, allowed: Mapping[str, str]) -> None:
        self.gate = Gate(allowed)
        self.models: set[str] = set()
        self.methods: set[str] = set()
        self.facts: dict[str, Any] = {}
        self._source, self._checked = source, False
        self._size = self._file_size()

    def __call__(self) -> Iterator[Mapping[str, Any]]:
        """Return the rows. Raises InputError where the file is another one than was checked."""
        rows = self._source.pairs()
        yield from rows if self._checked else self._check(rows)
        self._checked = True
        if self._size != self._file_size():
            raise InputError(f"{self._source.name} was changed while it was read", fix="run the same command again")

    def _file_size(self) -> tuple[int, int] | None:
        """Return the size of the file and when it was written; None for rows of another kind."""
        with suppress(OSError):
            if self._source.path is not None:
                found = os.stat(self._source.path)
                return found.st_size, found.st_mtime_ns
        return None

    @property
    def findings(self) -> list[Finding]:
        """What stops the publication."""
        return self.gate.refused

    def _check(self, rows: Iterator[Any]) -> Iterator[Mapping[str, Any]]:
        checker, languages, contexts = RowChecker(_CHECKS), LanguageCounter(), set[str | None]()
        names = self._source.new_names
        audit = ShortcutChecker(names, most=_AUDITED)
        for index, row in enumerate(rows):
            row = dict(row) if isinstance(row, Mapping) else row
            self.gate.take(checker.see(index, row))
            if self.findings:
                continue
            self.models.add(str(row.get("model")))
            self.methods.add(str(row.get("method")))
            turns = context_of(row)
            languages.add(written(turn) for turn in turns[-1:])
            if len(contexts) <= _CONTEXTS:
                contexts.add(next((written(turn) for turn in turns if turn["role"] == "system"), None))
            # What a correction changed is meant to differ; which names that were, only its run says.
            if names or row.get("judge") != "rename":
                audit.see(index, row)
            yield row
        self.gate.take(checker.findings())
        self.facts = {"languages": [*languages.languages()], "contexts": len(contexts)}
        if not self.findings and (report := audit.report()) and report.enough:
            self.gate.take(report.findings)
            rest = report.unintended if names else report.predictability
            found = [one.message for one in report.findings if one.severity != "info"]
            self.facts["shortcuts"] = {
                "accuracy": round(rest.value, 3) if rest else None,
                "prompts": report.sampled.prompts,
                "unintended": found,
            }


def is_pocket(model: str) -> bool:
    """Return True for a name or a path of the bundled model."""
    if model == "pocket":
        return True
    try:
        return os.path.samefile(model, resource("data", "pocket"))
    except (OSError, ValueError):  # no path, or none that can be one
        return False


def build_dataset(
    source: PairInput,
    rows: CheckedRows,
    folder: Path,
    options: PushOptions,
    license: str | None,
    report: str = "",
) -> BuiltDataset | None:
    """Build the data set in a folder that is not there; None where `rows` then has findings.

    `report` is the HTML of the report that is put beside the pairs, if any. The same pairs and settings give the same
    bytes. Raises InputError where a column mixes types.
    """
    run = source.run
    split = _split_by(options.test_size)
    if run:
        rows.gate.take(_SECRETS.see(None, {"settings": run.settings}))
    pairs = write_config(rows, "pairs", folder / DATA_FOLDER, split)
    if rows.findings:
        return None
    if "train" not in pairs.splits:
        why = "all are of prompts in the split test" if pairs.rows else "there are none"
        raise InputError(f"no pairs to train on: {why}", fix="give more pairs")
    made = {run.command} if run else rows.methods
    name = options.config_name or next((_CONFIGS[one] for one in made if len(made) == 1 and one in _CONFIGS), "pairs")
    pairs = replace(pairs, **_how(run), **_found(rows, pairs, run, license))
    pairs = replace(pairs, models=tuple(_with_revision(model, run) for model in pairs.models))
    if report:
        write_atomic(folder / DATA_FOLDER / manifest.REPORT, report)
        pairs = replace(pairs, report=git_id(report.encode()))
    configs = {name: pairs}
    prefix = f"{options.config_name}-" if options.config_name else ""
    there = f"{prefix}{CANDIDATES}"
    if options.candidates and run and (answers := _candidates(run, rows.gate, folder / there, split)):
        configs[there] = replace(answers, run=pairs.run, settings=pairs.settings)
        configs[name] = replace(pairs, evidence=there)
    if options.also:
        trainer = _for_trainer(options.also, rows, folder / f"{prefix}{options.also}", split)
        if trainer.rows:
            configs[f"{prefix}{options.also}"] = replace(trainer, run=pairs.run)
    if rows.findings:
        return None
    built = BuiltDataset(folder, Manifest(configs, name).as_read())
    write_atomic(folder / manifest.FILE, built.manifest.text())
    write_card(built, options.repo)
    return built


def write_card(built: BuiltDataset, repo: str | None) -> None:
    """Write what follows from the manifest, for this repository."""
    write_atomic(built.folder / CARD_FILE, dataset_card.render(built.manifest, repo))
    write_atomic(built.folder / croissant.FILE, croissant.text(built.manifest, repo))


def inputs_digest(source: PairInput, options: PushOptions, license: str | None, report: str = "") -> str | None:
    """Return a digest of all from which a data set is built: the files, the run, its answers and report, the options.

    None where the rows are not in files here. Only the licences that the cards of models name are not in it.
    """
    if source.path is None or not source.path.exists():
        return None
    run, answers = source.run, RowsDigest()
    try:
        paths = files_of(source.name, formats.PAIRS)
        if not all(map(Path.is_file, paths)):  # a pipe is read once
            return None
        files = [(str(file), sha256_of(file)) for file in paths]
        for row in answers_of(run) if run and options.candidates and _sampled_several(run) else ():
            answers.add(row)
    except (PairforgeError, OSError):  # which is said when they are built
        return None
    of_run = [run.path.name, run.command, run.argv, run.settings, run.counts] if run else []
    given = [license, allowances(options.allow), dict(source.columns.parts), options.config_name, options.test_size]
    given += [report] * bool(report)
    given += [options.candidates, options.also, installed_versions("pairforge")]
    return digest([files, answers.hexdigest(), of_run, given], 64)


def licenses_of(run: Run | None, models: Iterable[str], license: str | None) -> dict[str, str | None]:
    """Return the licences of the prompts of a run, of models, and of the set: see `licenses`."""
    asked = run.settings.get("prompts") if run else None
    source = asked.get("source") if isinstance(asked, Mapping) else None
    return licenses(source if isinstance(source, str) else None, models, license)


def _how(run: Run | None) -> dict[str, Any]:
    if run is None:
        return {}
    told = {"argv": tuple(without_places(run.argv)), "settings": without_places(run.settings)}
    return {"run": run.path.name, "command": run.command, "counts": without_places(run.counts)} | told


def _found(rows: CheckedRows, pairs: DataConfig, run: Run | None, license: str | None) -> dict[str, Any]:
    """Return what the checks say of the pairs, and their licences."""
    facts = dict(rows.facts)
    return {
        "licenses": licenses_of(run, rows.models, license),
        "findings": rows.gate.findings_json(),
        "allowed": rows.gate.allowed_json(),
        "shortcuts": facts.pop("shortcuts", None),
        "statistics": {**pairs.statistics, **facts},
    }


def _with_revision(model: Mapping[str, Any], run: Run | None) -> Mapping[str, Any]:
    name = str(model["name"])
    own = run is not None and run.settings.get("model") == name
    return {"name": name, "revision": run.settings.get("revision") if run and own else None}


SplitOf: TypeAlias = Callable[[Mapping[str, Any]], str]


def _split_by(size: float) -> SplitOf:
    """Return the function that gives the split of a row: by a hash of its prompt, whatever the system message is."""

    return (lambda row: "test" if place_in_split(row) < size * 16**16 else "train") if size else lambda _: "train"


def place_in_split(row: Mapping[str, Any]) -> int:
    """Return a hash of the prompt of a row, by which rows are split: those of the split `test` have the smallest."""
    context = context_of(row) if well_shaped(row) else row.get("prompt") or []
    key = row.get("prompt_id")
    if not key or key == digest(context):
        key = digest([turn for turn in context if turn["role"] != "system"])
    return int(digest(["split", key]), 16)


def _for_trainer(name: str, rows: CheckedRows, folder: Path, split: SplitOf) -> DataConfig:
    """Write the rows of the split `train` in the shape that a trainer reads."""
    left_out: Counter[str] = Counter()

    def shaped() -> Iterator[Mapping[str, Any]]:
        left_out.clear()
        for row in rows():
            made = TARGETS[name].rows(row, set()) if split(row) == "train" else []
            if isinstance(made, Skip):
                left_out[made.detail] += 1
            else:
                yield from made

    config = write_config(shaped, "llamafactory", folder)
    for why, count in left_out.most_common():
        note(f"config {name}: {plural(count, 'row')} left out: {why}")
    return config


def _candidates(run: Run, gate: Gate, folder: Path, split: SplitOf) -> DataConfig | None:
    """Write the config of all answers of a run, where it sampled several; None, and a word, where that can't be."""
    if not _sampled_several(run):
        return None
    why = "there is no evidence.db beside the run"
    if (run.path.parent / "evidence.db").exists():
        try:
            made = write_config(lambda: _checked(answers_of(run), gate), "candidates", folder, split)
            size = sum(file.bytes for file in made.files)
            if made.rows and size <= _MOST_CANDIDATES:
                return made
            why = f"they are {byte_size(size)}" if made.rows else "the store doesn't have them"
        except PairforgeError as error:
            why = str(error)
        rmtree(folder, ignore_errors=True)
    note(f"the config {CANDIDATES} is left out: {why}")
    return None


def _sampled_several(run: Run) -> bool:
    n = run.settings.get("n")
    return type(n) is int and n > 1 and isinstance(run.settings.get("sampling"), dict)


def _checked(rows: Iterable[Mapping[str, Any]], gate: Gate) -> Iterator[Mapping[str, Any]]:
    for index, row in enumerate(rows):
        gate.take(_SECRETS.see(index, row))
        if not gate.refused:
            yield row


def answers_of(run: Run) -> Iterator[Mapping[str, Any]]:
    """Yield for each prompt of a run all of its answers that are kept, with their scores where they were judged."""
    settings: Mapping[str, Any] = run.settings
    if not (run.path.parent / "evidence.db").exists():
        return
    judge = settings["judge"] if isinstance(settings.get("judge"), dict) else {}
    jury = judge.get("judges")
    judges = [one for one in jury if isinstance(one, dict)] if isinstance(jury, list) else [judge] if judge else []
    with closing(Store(run.path.parent)) as store:
        for groups in batched(answered(run, store), _BATCH):
            keys = [score_keys(judged_group(prompt, answers)) for prompt, answers in groups]
            scores = [stored_scores(store, one, keys) for one in judges]
            for number, (prompt, answers) in enumerate(groups):
                digests = [digest(answer.text) for answer in answers]
                row: dict[str, Any] = {"prompt_id": prompt.id, "prompt": list(prompt.messages)}
                row["responses"] = [answer.text for answer in answers]
                row["finish"] = [answer.finish for answer in answers]
                row["model"] = settings["model"]
                given = [[of_judge[number].get(name) for name in digests] for of_judge in scores]
                if judge:
                    row["judge"] = str(judge.get("judge", ""))
                if isinstance(jury, list):  # whose scores are combined over the whole set
                    row["judges"] = [public_name(str(one.get("judge"))) for one in judges]
                    row["weights"] = judge.get("weights")
                    row["judge_scores"] = given
                elif judge:
                    [row["scores"]] = given
                yield row


def answered(run: Run, store: Store) -> Iterator[tuple[Prompt, list[Answer]]]:
    """Yield each prompt of a run to which several answers are kept, with these."""
    sampling, n = run.settings["sampling"], run.settings["n"]
    for number, prompts in enumerate(batched(_prompts(run), _BATCH)):
        distinct = {prompt.id: prompt for prompt in reversed(prompts)}
        before = store.seen_before(distinct, new=not number)
        kept: dict[str, list[Answer]] = {prompt.id: [] for prompt in prompts if prompt.id not in before}
        for (name, _), answer in sorted(store.answers(sampling, kept).items()):
            kept[name].append(answer)
        yield from ((distinct[name], answers[:n]) for name, answers in kept.items() if len(answers[:n]) > 1)


def _prompts(run: Run) -> Iterator[Prompt]:
    """Yield the prompts of a run, of one that keeps none those of its pairs and its skips."""
    if run.prompts.exists():
        yield from run.asked()
        return
    for row in formats.read_rows(run.pairs):
        messages: Any = context_of(row)
        yield Prompt(tuple(messages))
    for row in formats.read_rows(run.skips) if run.skips.exists() else ():
        yield Prompt(tuple(row.get("prompt") or ()))
