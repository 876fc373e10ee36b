"""docs/checks.md says what the checks say of themselves."""

from __future__ import annotations

from pathlib import Path

from pairforge.checks import RULES
from pairforge.checks.document import document

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == document(), "python -m pairforge.checks.document > docs/checks.md"


def test_every_check_has_its_section() -> None:
    page = document()
    assert [code for code in RULES if f"\n### {code} " not in page] == []
