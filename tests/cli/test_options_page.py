"""docs/options.md lists the options that the commands have."""

from pathlib import Path

from pairforge.cli.options_page import options_page

PAGE = Path(__file__).parents[2] / "docs" / "options.md"


def test_the_page_is_what_the_options_say() -> None:
    assert PAGE.read_text("utf-8") == options_page(), "python -m pairforge.cli.options_page > docs/options.md"
