"""docs/options.md lists the options that the commands have."""

from pathlib import Path

from pairforge.cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "options.md"


def test_the_page_is_what_the_options_say() -> None:
    assert PAGE.read_text("utf-8") == reference(), "python -m pairforge.cli.reference > docs/options.md"
