"""The last step of a pair: thoughts as its model's chat template writes them, and nothing that the trainer refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..run import Run
from ..text import plural, visible
from ..types import Pair, Sampler, Skip, ThoughtForm

if TYPE_CHECKING:
    from ..checks.runner import RowChecker


@dataclass
class PairFinisher:
    """Makes of each pair the one that is stored: `keeps` says of a thought whether it may be trained on.

    `thoughts` counts what became of them: `pairs` have some, and either they are `kept`, `left_out`, or `unwritten`, as
    the chat template writes none. `empty` is what it writes before an answer without one.
    """

    sampler: Sampler
    keeps: Callable[[str], bool]
    thoughts: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def form(self) -> ThoughtForm:
        """The form of thoughts; a local model's tokenizer is read for it."""
        return self.sampler.thought_form()

    @cached_property
    def checker(self) -> RowChecker:
        """What finds errors in a pair, and nothing that only a whole set shows."""
        from ..checks.rule import OF_ROWS, RULES
        from ..checks.runner import RowChecker

        over = (*OF_ROWS, "secrets")
        return RowChecker([code for code, one in RULES.items() if one.over in over and one.severity == "error"])

    def __call__(self, pair: Pair) -> Pair | Skip:
        """Return the pair, without thoughts where one of them may not be trained on; a Skip where it has an error."""
        found = [side[-1].get("reasoning_content") for side in (pair.chosen, pair.rejected)]
        if not any(found):
            return self._error(pair) or pair
        kept = bool(self.form.key) and all(self.keeps(text) for text in found if text)
        made = (self.form if kept else replace(self.form, key="")).pair(pair)
        if error := self._error(made):
            return error
        outcome = "unwritten" if not self.form.key else "kept" if kept else "left_out"
        for name in ("pairs", outcome):
            self.thoughts[name] = self.thoughts.get(name, 0) + 1
        if self.form.empty and not kept:
            self.thoughts["empty"] = self.form.empty
        return made

    def _error(self, pair: Pair) -> Skip | None:
        errors = (one for one in self.checker.see(0, pair.row()) if one.severity == "error")
        return next((Skip("invalid", f"{one.code} {one.path}: {one.message}") for one in errors), None)


def thought_lines(run: Run) -> Iterator[str]:
    """Yield what became of the thoughts of a run, for a reader."""
    counts = run.counts.get("thoughts", {})
    held = {
        None: "; they hold an old name (--thinking edit renames in them)",
        "edit": "; they hold an old name in another spelling (--case smart renames those in capitals)",
    }
    for name, done, why in (
        ("kept", "kept", ""),
        ("left_out", "left out", held.get(run.settings.get("thinking"), "")),
        ("unwritten", "left out", f"; the chat template of {visible(str(run.settings['model']))} writes none"),
    ):
        if count := counts.get(name):
            yield f"thoughts {done}: {count} of {plural(counts['pairs'], 'pair')}{why}"
    if "empty" in counts:
        yield f"the chat template writes {visible(counts['empty'])!r} where there is no thought: it is trained on"
