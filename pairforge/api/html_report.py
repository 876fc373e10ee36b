"""The verb `report`: one HTML file about a run, with figures and tables, that opens without a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from ..checks.shortcuts import Report
from ..console import note
from ..disk import write_atomic
from ..errors import InputError, PairforgeError
from ..html import element, joined
from ..hub.manifest import REPORT
from ..markdown import public_name
from ..notebook import HtmlRepr
from ..options.declaration import keywords
from ..options.pairs import ReportOptions
from ..page.agreement import Agreement
from ..page.annotation import Annotation
from ..reporting import sections
from ..reporting.charts import Charts
from ..reporting.html_page import GENERATOR, page
from ..reporting.pair_figures import PairFigures, examples
from ..run import Run
from ..stages import judged_group
from ..store import Store
from ..text import byte_size, visible
from .dataset_build import answered, answers_of
from .inputs import PairInput, check_output
from .shortcuts import shortcuts
from .validate import validate

NO_FIGURES = 'Tables stand in place of figures: matplotlib is not installed; pip install "pairforge[plot]"'


@dataclass(repr=False)
class WrittenReport(HtmlRepr):
    """The report that was written, its size in bytes, and whether figures are left out, since matplotlib is missing."""

    path: Path
    size: int
    without_figures: bool
    ok = True

    def as_json(self) -> dict[str, Any]:
        """Return the object that `pairforge report --json` prints."""
        said = {"command": "report", "ok": self.ok, "output": str(self.path), "bytes": self.size}
        return said | {"figures": not self.without_figures}

    @property
    def brief(self) -> str:
        """The path of the file."""
        return visible(str(self.path))

    def __repr__(self) -> str:
        return f"<WrittenReport: {self.path}>"

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        yield visible(f"{self.path} ({byte_size(self.size)}): open it in a browser; it is whole, and can be mailed")
        if self.without_figures:
            yield NO_FIGURES


@keywords(ReportOptions)
def report(options: ReportOptions) -> WrittenReport:
    """Write one HTML file about a run or a file of pairs, with figures and tables, and return where it is.

    The page executes nothing and loads nothing. It holds neither paths of this machine nor rows in which a check finds
    what looks like a key, an e-mail address or a phone number. The same run gives the same bytes.

    Raises InputError for rows that are not pairs, and where the file can't be written.
    """
    data = options.data
    source = PairInput(data, options.output, quiet=options.quiet, columns=options.columns)
    if not source.path or source.name == "-":  # which may be read only once
        source = PairInput([*source.raw()], columns=options.columns)
    path = _path(options.html, source)
    text, charts = report_text(source, quiet=options.quiet)
    write_atomic(path, text)
    return WrittenReport(path, len(text.encode()), charts.left_out)


def report_text(source: PairInput, *, quiet: bool) -> tuple[str, Charts]:
    """Return the page about pairs that can be read several times, and its figures."""
    run, rows = source.run, source if source.path else [*source]
    if not quiet:
        note("reading the pairs, checking them, and looking for shortcuts")
    named: dict[str, Any] = {"data": source.name or rows, "quiet": True, "columns": dict(source.columns.parts)}
    pairs, found = PairFigures.of(rows), validate(**named)
    private = {one.row for one in found if one.code.startswith("PF5") and one.row is not None}
    chosen = pairs.choose({one.row for one in found if one.row is not None and one.severity != "info"}, private)
    try:
        audited: Report | PairforgeError = shortcuts(**named)
    except PairforgeError as error:
        audited = error
    people = _people(run)
    data = sections.ReportData(
        _name(run, source), run, pairs, [*examples(rows, chosen)], Markup(found.as_html()), audited, _answers(run),
        [*people.shares()], people.sentence,
    )  # fmt: skip
    parts = sections.sections(data)
    end = ["Made with pairforge. This page executes nothing and loads nothing."]
    if data.charts.left_out:
        end.append(
            'Figures are left out: matplotlib is not installed where it was made; pip install "pairforge[plot]".'
        )
    first, _, rest = found.summary.partition(": ")[2].partition(", ")
    tiles = sections.tiles(data) | {"checks": joined([first, element("small", rest)])}
    text = page(f"Preference pairs: {data.name}", [*sections.lead(data)], tiles, parts, end)
    for place in filter(None, (source.name and source.word, source.name)):  # as commands and findings name it
        text = text.replace(escape(place), escape(data.name))
    return text, data.charts


def _name(run: Run | None, source: PairInput) -> str:
    return (run.name or run.path.resolve().name) if run else public_name(Path(source.name).name) or "rows"


def _answers(run: Run | None) -> Iterator[Any]:
    """Yield all answers of a run with their scores, as far as they are kept beside it."""
    try:
        yield from answers_of(run) if run else ()
    except (PairforgeError, OSError, LookupError, TypeError):  # the run may be a stranger's
        return


def _people(run: Run | None) -> Agreement:
    """Return how far the people agree who judged answers of a run, as far as their verdicts are kept beside it."""
    with suppress(PairforgeError, LookupError, TypeError, ImportError):  # the run may be a stranger's
        if run and (run.path.parent / "evidence.db").exists():
            with closing(Store(run.path.parent, read_only=True)) as store:
                groups = (judged_group(prompt, answers) for prompt, answers in answered(run, store))
                annotation = Annotation(lambda: groups if store.events() else (), store)
                annotation.fill()
                return annotation.agreement()
    return Agreement()


def _path(named: str | None, source: PairInput) -> Path:
    """Return where to write: a report may be replaced, and no other file."""
    if named is None and source.run is None:
        next(iter(source), None)  # which says what is wrong with the pairs, if it is that
        raise InputError("there is no folder of a run to write the report to", fix="name a file: --html report.html")
    path = Path(named) if named else source.run.path / REPORT  # type: ignore[union-attr]
    ours = path.is_file() and not path.is_symlink() and GENERATOR in path.read_text("utf-8", "replace")[:2000]
    return check_output(path, (".html", ".htm"), source, overwrite=ours or None, option="--html " if named else "")
