"""Shortcuts as warnings, for a check that sees the rows pass by once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...types import Finding
from ..sides import Sides
from .answers import Sample, Seen

_FEWEST = 20


class Watch:
    """Keeps a sample of the pairs that it is shown, and says at the end what tells their sides apart.

    `expect` names what is meant to differ; features are looked for and counted in at most `most` prompts.
    """

    def __init__(self, expect: Sequence[str] = (), *, most: int = 20_000, seed: int = 0) -> None:
        self.expect = tuple(expect)
        self._sample = Sample(most, seed)

    def add(self, index: int, sides: Sides) -> None:
        """Takes the next pair; rows that are none need not be shown."""
        self._sample.add(Seen.of(index, sides))

    def findings(self) -> Iterator[Finding]:
        """What `pairforge shortcuts` would report from grade medium on, as warnings; none for fewer than 20 pairs."""
        if self._sample.kept_pairs < _FEWEST:
            return
        from .pipeline import Settings, examine

        report = examine(self._sample, Settings(self.expect), self._sample.pairs)
        for finding in report.findings:
            if finding.severity != "info":
                yield replace(finding, severity="warning")
