"""People as judges of the answers of a run: on the page or in the terminal, and their verdicts in files."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..console import note
from ..disk import write_json_lines
from ..errors import InputError
from ..formats import read_rows
from ..judges.human import HumanEvent, HumanJudge, item_key
from ..options.viewing import AnnotationOptions
from ..page import server
from ..page.annotation import Annotation, AnnotationPlan
from ..run import out_dir
from ..stages import worth_judging
from ..store import Store
from ..text import plural, why_unreadable
from ..types import AnswerGroup, Prompt
from .inputs import check_output
from .pipeline import Builder, BuildJob

_LONGEST = 1 << 20  # bytes of guidelines


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
            _session(people[0], groups, store, options, guidelines)
        events = [HumanEvent.read(one) for one in store.events()]
    items = {item_key(prompt, answers): prompt for prompt, answers in groups}
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


def _groups(job: BuildJob, store: Store, quiet: bool) -> list[AnswerGroup]:
    prompts = [prompt for prompt in job.asked() if isinstance(prompt, Prompt)]
    return worth_judging(prompts, Builder(job, store, quiet).ask(prompts, job.n))[1]


def _session(
    judge: HumanJudge, groups: Sequence[AnswerGroup], store: Store, options: AnnotationOptions, guidelines: str
) -> None:
    """Let people judge until they have enough: see `Annotation`."""
    if not groups:
        return
    plan = AnnotationPlan(options.overlap, options.repeat, options.attention)
    who = options.who or _user()
    annotation = Annotation(lambda: groups, store, plan, who=who, title="judge", guidelines=guidelines)
    if judge.terminal:
        from ..page.terminal import judge_in_terminal

        annotation.fill()
        judge_in_terminal(annotation, who)
        return
    annotation.thread.start()
    try:
        server.run(options, annotation.routes())
    finally:
        annotation.thread.join()  # it reads the store, which is closed behind this


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
