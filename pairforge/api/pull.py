"""pull: make a run of a data set on the Hub. What is in it is data: never run, never a path."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, count, repeat
from math import isfinite
from pathlib import Path
from typing import Any

from .. import formats, readers
from ..console import outcome
from ..disk import sha256_of, write_atomic
from ..errors import InputError
from ..formats.writers import fault
from ..hub.manifest import FILE, DataConfig, DataFile, DataSplit, Manifest, RowsDigest
from ..hub.repository import Head, Repository, check_repo, connected
from ..notebook import HtmlRepr
from ..options.declaration import keywords
from ..options.hub import PullOptions
from ..resources import validator
from ..run import Run, out_dir
from ..samplers.replay import answers_in_row
from ..store import Store
from ..text import did_you_mean, one_line, plural, visible
from ..types import Answer, Prompt, Skip, digest
from .inputs import PairInput
from .onpolicy import BUILT_IN

_HUB_ID = re.compile(r"(?:https://huggingface\.co/datasets/)?([^:@]+?)/?((?::[^/:]+){0,2})")
_RUN_NAME = re.compile(r"[a-z][a-z_]*-[0-9a-f]{10}(?:-\d{1,4})?")
_LONGEST_MANIFEST = 2**24


@dataclass
class Published:
    """A config of a data set on the Hub, at one commit, and the manifest that describes it."""

    target: Repository
    head: Head
    text: str
    name: str
    manifest: Manifest

    @property
    def config(self) -> DataConfig:
        return self.manifest.configs[self.name]

    @classmethod
    def find(cls, target: Repository, head: Head, config: str | None) -> Published | None:
        """Return the config that is named, else the default one; None where the data set has no manifest.

        Raises InputError for a manifest that is wrong, and where it has no such config of pairs.
        """
        if FILE not in head.files:
            return None
        where = f"{target.name} at {head.sha[:7]}"
        if head.sizes.get(FILE, 0) > _LONGEST_MANIFEST:
            raise InputError(f"{where}: {FILE} is too long to be a manifest", fix="see its page")
        text = target.text(FILE, head)
        manifest = Manifest.read(text, where)
        return cls(target, head, text, chosen_config(manifest, config, where), manifest)

    @property
    def counts(self) -> dict[str, Any]:
        """The counts of the run that made the pairs; of pairs that no run made, their number."""
        rows, given = self.config.rows, self.config.counts
        told = given if sum(given.get(name) or 0 for name in ("pairs", "counter", "retain")) == rows else {}
        return {"prompts": rows, "contexts": 1, "pairs": rows, "skips": {}, **told}

    @property
    def parts(self) -> list[DataConfig]:
        """The config of pairs, and that of all answers, where there is one."""
        beside = (one for one in self.manifest.configs.values() if one.kind == "candidates")
        return [self.config, *(one for one in beside if one.run == self.config.run)]

    def files(self) -> list[list[Path]]:
        """Download the files of the parts to the cache of the Hub's client. Raises InputError for one that is wrong."""
        return [[self._fetched(file) for _, split in _splits(part) for file in split.files] for part in self.parts]

    def _fetched(self, file: DataFile) -> Path:
        where = f"{self.target.name} at {self.head.sha[:7]}: {file.path}"
        if self.head.sizes.get(file.path) != file.bytes:
            raise InputError(f"{where} is not the file that {FILE} names", fix="pull another --revision")
        path = self.target.download(file.path, self.head)
        if sha256_of(path) != file.sha256:
            raise InputError(f"{where} has another SHA-256 than {FILE} says", fix="pull another --revision")
        return path


def _splits(config: DataConfig) -> list[tuple[str, DataSplit]]:
    """Return the splits of a config, `train` before `test`."""
    return sorted(config.splits.items(), reverse=True)


def chosen_config(manifest: Manifest, wanted: str | None, where: str) -> str:
    """Return the name of a config of pairs: the one that is wanted, else the default one, else the only one."""
    pairs = [name for name, config in manifest.configs.items() if config.kind == "pairs"]
    name = wanted or (manifest.default if manifest.default in pairs or len(pairs) != 1 else pairs[0])
    if name in pairs:
        return name
    what = f"holds {manifest.configs[name].kind}, not pairs" if name in manifest.configs else "is not there"
    fix = did_you_mean(name, pairs) or (f"--config {' or '.join(pairs)}" if pairs else "pull another data set")
    raise InputError(f"{where}: the config {visible(name)} {what}", fix=fix)


@dataclass
class PullResult(HtmlRepr):
    """The run that was made of a data set on the Hub, or that is there already (`new` is False).

    `digest` is that of its pairs, `published` the one that the manifest names; None where there is no manifest.
    """

    run: Run
    repo: str
    revision: str
    digest: str
    published: str | None
    new: bool
    answers: int = 0

    @property
    def ok(self) -> bool:
        """The pairs are those that were published, as far as that is known."""
        return self.published in (None, self.digest)

    def as_json(self) -> dict[str, Any]:
        said = {"command": "pull", "ok": self.ok, "run": str(self.run.path), "output": str(self.run.pairs)}
        said |= {"repo": self.repo, "revision": self.revision, "new": self.new, "counts": self.run.counts}
        return said | {"digest": self.digest, "published_digest": self.published, "answers": self.answers}

    @property
    def brief(self) -> str:
        """The folder of the run."""
        return visible(str(self.run.path))

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        yield f"{self.repo} at {self.revision[:7]}{'' if self.new else ': here already'}"
        yield visible(outcome(self.run.counts))
        if self.answers:
            yield f"{plural(self.answers, 'answer')} with their scores: --replay {visible(self.run.path.name)}"
        same = "the one that its manifest names" if self.ok else f"its manifest names another: {self.published}"
        yield f"digest of the pairs {self.digest}: " + (same if self.published else "it has no manifest of pairforge")
        judge = self.run.settings.get("judge")
        if isinstance(judge, Mapping) and judge.get("judge") != BUILT_IN:
            yield visible(f"scored by {one_line(judge.get('judge'), 60)}: such code is run only where you name it")
        yield visible(str(self.run.path))
        yield "next: pairforge show · pairforge validate · pairforge shortcuts · pairforge train dpo"


@keywords(PullOptions)
def pull(options: PullOptions) -> PullResult:
    """Make a run of a data set on the Hub, with its pairs, its settings, and all answers with their scores.

    The digest of the pairs is compared with that of the data set's manifest. A data set without a manifest of pairforge
    becomes a run of its pairs alone, whatever shape of pairs it has. The same again does nothing.

    Raises InputError where it can't be a data set's name, or the data set is not what its manifest says, OutsideError
    where the Hub can't be read.
    """
    repo, behind = hub_name(options.repo)
    out = out_dir(options.output)
    with connected(repo, "dataset", quiet=options.quiet, revision=options.revision, writes=False) as target:
        head = target.head()
        if found := Published.find(target, head, options.config):
            if behind:
                fix = f"leave :{':'.join(behind)} out; --config names one of several configs"
                raise InputError(f"{repo} is pulled whole, as its manifest says", fix=fix)
            run = _run_of(found, out)
        else:
            source = ":".join([f"{repo}@{head.sha}", *_config_and_split(options.config, behind)])
            run = Run.of(out, "pull", {"model": "", "pulled": {"source": source}})
        if options.name is not None:
            run.check_name(options.name)
        new = not run.counts
        # Before the folder is made: what is wrong there leaves nothing here.
        files = found.files() if new and found else []
        rows = PairInput(source).pairs() if new and not found else iter(())
    answers = 0
    with run.lock():
        if new and found:
            answers = _fill(run, found, files)
        elif new:
            _fill_from_any(run, rows)
        if options.name is not None:
            run.give_name(options.name)
    published = found.config.digest if found else None
    return PullResult(run, repo, head.sha, _digest(run, found), published, new, answers)


def hub_name(text: str) -> tuple[str, list[str]]:
    """Return the id of a data set, and the config and split that are named behind it. Raises InputError for others."""
    found = _HUB_ID.fullmatch(text)
    repo = found[1] if found else text
    check_repo(repo, "the data set")
    return repo, [part for part in (found[2] if found else "").split(":") if part]


def _digest(run: Run, found: Published | None) -> str:
    """Return the digest of the pairs, which are in the file split after split."""
    splits = _splits(found.config) if found else []
    of_row = chain.from_iterable(repeat(name, split.rows) for name, split in splits)
    digest = RowsDigest()
    for row in formats.rows(str(run.pairs)):
        digest.add(row, next(of_row, "train"))
    return digest.hexdigest()


def _config_and_split(config: str | None, behind: list[str]) -> list[str]:
    """Return the config and the split to read, as a source of rows names them behind the data set."""
    if config is None:
        return behind
    if len(behind) > 1:
        raise InputError("the config is named twice", fix=f"leave --config {config} out")
    return [config, *(behind or ["train"])]


def _run_of(found: Published, out: Path) -> Run:
    """Return the run that a config becomes, with the settings of its manifest, marked: none that is made here has them.

    So no command takes its pairs or its answers for some that were made here.
    """
    config, repo, sha = found.config, found.target.name, found.head.sha
    settings = {**config.settings, "pulled": {"repo": repo, "revision": sha, "config": found.name}}
    for part in ("sampling", "judge"):
        if isinstance(settings.get(part), Mapping):
            settings[part] = {**settings[part], "given": f"{repo}@{sha}"}
    if not isinstance(settings.get("model"), str):
        settings["model"] = ""
    command, name = config.command or "", config.run or ""
    command = command if re.fullmatch(r"[a-z][a-z_]{0,30}", command) else "pull"
    value: dict[str, Any] = {"command": command, "settings": settings, "counts": found.counts}
    if wrong := next(validator("run").iter_errors(value), None):
        what = f"{repo} at {sha[:7]}: {FILE}: {wrong.json_path[:80]}: {one_line(wrong.message, 200)}"
        raise InputError(what, fix="pull another --revision")
    run = Run.of(out, command, settings, name if _RUN_NAME.fullmatch(name) else "")
    run.argv = config.argv
    return run


def _fill(run: Run, found: Published, files: list[list[Path]]) -> int:
    """Write what was published into the run, its pairs last, and return how many answers were kept."""
    answers = sum(_keep_answers(run, part, found.target.name) for part in files[1:])
    write_atomic(run.path / FILE, found.text)
    run.finish(map(_plain, count(), _rows(files[0])), (), found.counts)
    return answers


def _plain(number: int, row: Any) -> Any:
    """Return a row that JSON can hold. Raises InputError for one that it can't."""
    if wrong := fault(row, is_text=True):
        raise InputError(f"row {number} can't be a pair of a run: {wrong.detail}", fix="pull another --revision")
    return row


def _keep_answers(run: Run, files: Iterable[Path], repo: str) -> int:
    """Put all answers and their scores into the evidence store, under settings that no sampler here has."""
    kept, sampling, judge = 0, run.settings.get("sampling"), run.settings.get("judge")
    if not isinstance(sampling, Mapping):
        return 0
    contexts, prompts = run.settings.get("contexts") or [], dict[str, Prompt]()
    of_jury = judge.get("judges") if isinstance(judge, Mapping) else None
    judges = [one for one in (of_jury if isinstance(of_jury, list) else [judge]) if isinstance(one, Mapping)]
    with closing(Store(run.path.parent)) as store:
        for number, row in enumerate(_rows(files)):
            try:
                texts = zip(row["responses"], row["finish"], strict=True)
                given = [{"text": text, "finish": finish} for text, finish in texts]
                prompt, answers = answers_in_row({"prompt": row["prompt"], "answers": given})
                scores = [_by_text(answers, given) for given in row.get("judge_scores") or [row.get("scores") or ()]]
            except (ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError) as error:
                what = f"{repo}: row {number} of the candidates is not a prompt with answers: {one_line(error)}"
                raise InputError(what, fix="pull another --revision") from error
            store.add_answers(sampling, {(prompt.id, index): answer for index, answer in enumerate(answers)})
            key = digest([prompt.id, {}])
            for settings, found in zip(judges, scores, strict=False):
                store.add_scores(settings, {(key, text): score for text, score in found.items()})
            asked = _without_context(prompt, contexts)
            prompts[asked.id] = asked
            kept += len(answers)
    run.keep_prompts(prompts.values())
    return kept


def _by_text(answers: Iterable[Answer], given: Iterable[Any]) -> dict[str, float]:
    """Return the scores of answers by their text, without those that are missing. Raises ValueError for NaN."""
    scores = {one.text: float(score) for one, score in zip(answers, given, strict=False) if score is not None}
    if not all(map(isfinite, scores.values())):
        raise ValueError("a score is not finite")
    return scores


def _without_context(prompt: Prompt, contexts: list[str | None]) -> Prompt:
    """Return a prompt as it was before a run put it in its contexts."""
    return Prompt(prompt.messages[1:]) if prompt.system in contexts and prompt.system is not None else prompt


def _rows(files: Iterable[Path]) -> Iterator[Any]:
    """Yield the rows of Parquet files, whatever their names. Raises InputError for one that can't be read."""
    for file in files:
        yield from formats.all_readable((row for _, row in readers.read(file, formats.PAIRS)), file.name)


def _fill_from_any(run: Run, rows: Iterator[Any]) -> None:
    """Write the pairs of a data set that pairforge did not publish, and why its other rows are none."""
    skips = list[dict[str, Any]]()
    counts: dict[str, Any] = {"prompts": 0, "contexts": 1, "pairs": 0, "skips": {}}

    def pairs() -> Iterator[Any]:
        for row in rows:
            counts["prompts"] += 1
            if skip := row if isinstance(row, Skip) else fault(row, is_text=True):
                skips.append({"prompt_id": "", "reason": skip.reason, "detail": skip.detail, "prompt": []})
            else:
                counts["pairs"] += 1
                yield row
        counts["skips"] = dict(sorted(Counter(skip["reason"] for skip in skips).items()))

    run.finish(pairs(), skips, counts)
