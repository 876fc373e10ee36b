"""Control tokens of templates in texts: which headings are those of a template."""

from __future__ import annotations

import pytest
from support import pair

from pairforge.checks import RowChecker


def found(answer: str) -> list[str]:
    return [one.message for one in RowChecker(["PF108"]).see(0, pair(answer, "No."))]


@pytest.mark.parametrize(
    "answer",
    ["### Instruction:\nAdd.\n### Response:\n2", "### Human:\na\n### Assistant:\nb", "It is 2.\n### Response:"],
)
def test_headings_of_a_template(answer: str) -> None:
    assert any("### " in message for message in found(answer))


@pytest.mark.parametrize(
    "answer", ["### Response:\nDear Ann", "### Instruction:\nRead it.", "a ### Instruction:\n### Assistant:\nx"]
)
def test_headings_of_an_answer(answer: str) -> None:
    assert found(answer) == []


@pytest.mark.timeout(60)
def test_many_headings_are_read_in_linear_time() -> None:
    assert found("### Instruction:\n" * 100_000 + "So it is.") == []
