"""People as judges of the answers of a run: on the page or in the terminal, and their verdicts in files."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..console import note
from ..disk import write_json_lines
from ..errors import InputError
from ..formats import read_rows
from ..judges.human import HumanEvent, HumanJudge, item_key
from ..markdown import public_name
from ..options.viewing import AnnotationOptions
from ..page import server
from ..page.annotation import Annotation, AnnotationPlan
from ..readers.spool import batched
from ..run import out_dir
from ..samplers.replay import StoredSampler
from ..stages import sample, worth_judging
from ..store import Store
from ..text import plural, why_unreadable
from ..types import AnswerGroup, Prompt, digest
from .inputs import check_output
from .pipeline import Builder, BuildJob

_LONGEST = 1 << 20  # bytes of guidelines
_BATCH = 256  # prompts whose answers are read together


@dataclass(frozen=True)
class ExportedVerdicts:
    """What `judge --export` wrote."""

    output: Path
    verdicts: int
    ok: bool = True

    def as_json(self) -> dict[str, Any]:
        return {"command": "judge", **vars(self), "output": str(self.output)}

    def __rich__(self) -> str:
        return f"wrote {self.output}: {plural(self.verdicts, 'event')}"


def people_of(judge: Any) -> list[HumanJudge]:
    """Return the people among the judges of a jury, or the one judge if it is people."""
    return [one for one in getattr(judge, "judges", [judge]) if isinstance(one, HumanJudge)]


def ask_people(job: BuildJob, people: Sequence[HumanJudge], options: Any, fresh: bool = False) -> None:
    """Sample the answers of a job, let people judge them, and give their verdicts to the judges that they are.

    Raises InputError for an option that can't be used.
    """
    if options.executor:
        fix = "judge by another one, then: pairforge judge --judge human"
        raise InputError("people can't judge in shards", fix=fix)
    if job.adaptive is True:
        raise InputError("people can't judge answers that --adaptive asks for later", fix="leave --adaptive out")
    given = getattr(options, "import_verdicts", None)
    guidelines = _guidelines(options.guidelines)
    if not given and not people[0].terminal:
        server.require()
    with closing(Store(out_dir(options.output), fresh)) as store:
        groups = _groups(job, store, options.quiet)
        if given:
            known = store.add_events(event.as_json() for event in _read(Path(given)))
            if not options.quiet:
                note(f"{plural(known, 'verdict')} are new in {given}")
        else:
            groups = _session(people[0], groups, job, store, options, guidelines)
        items = {item_key(prompt, answers): prompt for prompt, answers in groups}
        events = [HumanEvent.read(one) for one in store.events()]
    for judge in people:
        judge.take(events, items)


def export_verdicts(job: BuildJob, path: Path, output: str | None) -> ExportedVerdicts:
    """Write what people said about the answers of a job, undone verdicts and all, as JSON Lines."""
    check_output(path, (".jsonl",), option="--export ")
    with closing(Store(out_dir(output))) as store:
        items = {item_key(prompt, answers) for prompt, answers in _groups(job, store, quiet=True)}
        events = [HumanEvent.read(one) for one in store.events()]
    named = {event.uuid for event in events if event.item in items}
    kept = [event for event in events if event.uuid in named or event.undoes in named]
    write_json_lines(path, (event.as_json() for event in kept))
    return ExportedVerdicts(path, len(kept))


def _groups(job: BuildJob, store: Store, quiet: bool) -> Iterable[AnswerGroup]:
    """Return what is to be judged; the answers of a run are read as they are needed, others are sampled before."""
    prompts = (prompt for prompt in job.asked() if isinstance(prompt, Prompt))
    if isinstance(job.sampler, StoredSampler):
        return _stored(job, prompts, store.path.parent)
    asked = [*prompts]
    return worth_judging(asked, Builder(job, store, quiet).ask(asked, job.n))[1]


def _stored(job: BuildJob, prompts: Iterable[Prompt], out: Path) -> Iterator[AnswerGroup]:
    """Yield the stored answers to each prompt, read over a connection of its own, while verdicts are written."""
    with closing(Store(out, read_only=True)) as store:
        for batch in batched(prompts, _BATCH):
            yield from worth_judging(batch, sample(batch, job.sampler, job.n, store))[1]


def _session(
    judge: HumanJudge,
    groups: Iterable[AnswerGroup],
    job: BuildJob,
    store: Store,
    options: AnnotationOptions,
    guidelines: str,
) -> Iterable[AnswerGroup]:
    """Let people judge until they have enough, and return what was to be judged: see `Annotation`."""
    plan = AnnotationPlan(options.overlap, options.repeat, options.attention)
    who = options.who or _user()
    name = digest([str(store.path.resolve()), job.sampler.settings(), job.source, [*job.contexts], job.n])
    annotation = Annotation(
        lambda: groups, store, plan, name=name, who=who, title=f"Judge {public_name(job.source)}", guidelines=guidelines
    )
    annotation.thread.start()
    try:
        if judge.terminal:
            from ..page.terminal import judge_in_terminal

            judge_in_terminal(annotation, who)
        else:
            server.run(options, annotation.routes())
    finally:
        annotation.thread.join()  # it reads the store, which is closed behind this
    if annotation.error:
        raise annotation.error
    return (item.group for item in annotation.items)


def _user() -> str:
    with suppress(OSError, KeyError, ImportError):  # a user without a name
        return getpass.getuser()
    return "me"


def _guidelines(file: Any) -> str:
    if file is None:
        return ""
    try:
        if (size := Path(file).stat().st_size) > _LONGEST:
            raise InputError(f"--guidelines {file} has {size} bytes", fix=f"shorten it to {_LONGEST}")
        return Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--guidelines {file} can't be read: {why_unreadable(error)}") from error


def _read(file: Path) -> Iterator[HumanEvent]:
    for number, row in enumerate(read_rows(file)):
        try:
            yield HumanEvent.read(row)
        except InputError as error:
            raise InputError(f"{file}: row {number} is {error.message}", fix="write it with: judge --export") from None
