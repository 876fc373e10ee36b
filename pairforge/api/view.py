"""The verb `view`: the pairs of runs and files in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import formats
from ..options.common import PairData
from ..options.declaration import keywords
from ..options.viewing import ViewOptions
from ..page import server
from ..page.browsing import PairBrowser, ViewSource
from ..page.evidence import RunEvidence
from ..text import plural
from .inputs import PairInput, check_output


@dataclass(frozen=True)
class ViewEnd:
    """What was seen when the page was closed."""

    rows: int
    ok: bool = True

    def as_json(self) -> dict[str, Any]:
        return {"command": "view", **vars(self)}

    def __rich__(self) -> str:
        return f"the page of {plural(self.rows, 'row')} is closed"


@keywords(ViewOptions)
def view(options: ViewOptions) -> ViewEnd:
    """Show the pairs of runs and files on a page, until Ctrl-C.

    Raises InputError for a source or an option that can't be used.
    """
    server.require()
    given: Any = options.data
    many = isinstance(given, list | tuple) and all(isinstance(one, str | Path) for one in given)
    opened = [_source(one, options) for one in (given if many and given else [None if many else given])]
    save = None
    if options.save:
        save = check_output(Path(options.save), (".jsonl",), opened[0][0], overwrite=None, option="--save ")
    browser = PairBrowser([source for _, source in opened], save)
    browser.thread.start()
    try:
        server.run(options, browser.routes())
        return ViewEnd(browser.index.size)
    finally:
        browser.close()


def _source(data: PairData, options: ViewOptions) -> tuple[PairInput, ViewSource]:
    source = PairInput(data, options.output, quiet=options.quiet, columns=options.columns)
    run = source.run
    name = (run.name or run.path.name) if run else (source.name or "rows")
    shape, rows = source.recognised()
    skips = _skips(source) if run else ()
    made = ViewSource(name, formats.presented(rows, shape), skips, RunEvidence(run) if run else None, source.new_names)
    return source, made


def _skips(source: PairInput) -> Iterator[Any]:
    assert source.run
    if source.run.skips.exists():
        yield from formats.rows(source.run.skips)
