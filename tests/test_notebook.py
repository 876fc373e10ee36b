"""A notebook shows a result as a terminal prints it, and never as markup from outside."""

from pairforge.console import HtmlRepr, table
from pairforge.pair_view import Diff


def test_a_notebook_shows_what_a_terminal_prints() -> None:
    class Result(HtmlRepr):
        def __rich_console__(self, *_: object) -> object:
            yield table("", ["what"], [["<script>alert(1)</script>"]])
            yield Diff("I am Qwen.", "I am Athene.")

    shown = Result()._repr_html_()
    assert shown.startswith("<pre") and "<script>" not in shown and "&lt;script&gt;" in shown
    assert "color: #008000" in shown and "{+Athene+}" in shown
