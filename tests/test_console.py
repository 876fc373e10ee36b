"""What a reader sees: counts, differences, and never a control code from outside."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pairforge.console import Diff, PairView, outcome, table
from pairforge.text import visible


def printed(thing: object, color: bool = False) -> str:
    target = io.StringIO()
    Console(file=target, force_terminal=color, color_system="standard" if color else None, width=120).print(thing)
    return target.getvalue()


def test_outcome() -> None:
    counts = {"pairs": 812, "skips": {"failed": 4, "nothing_to_correct": 143}}
    assert outcome(counts) == "812 pairs · 143 nothing to correct · 4 failed"


def test_a_diff_marks_words_in_colour_or_in_characters() -> None:
    diff = Diff("I am Qwen. 我是Qwen。", "I am Deep Qwen. 我是Deep Qwen。")
    assert printed(diff).strip() == "I am{+ Deep+} Qwen. 我是{+Deep +}Qwen。"
    assert "\x1b[1;32mDeep" in printed(diff, color=True) and "{+" not in printed(diff, color=True)
    assert "[-Llama-]{+Athene+}" in printed(Diff("I am Llama.", "I am Athene."))


@given(st.text(), st.text())
def test_a_diff_holds_both_sides(rejected: str, chosen: str) -> None:
    text = Diff(rejected, chosen).text(marks=False)
    added = "".join(text.plain[span.start : span.end] for span in text.spans if "green" in str(span.style))
    removed = "".join(text.plain[span.start : span.end] for span in text.spans if "red" in str(span.style))
    assert len(text.plain) - len(removed) == len(visible(chosen)) and len(text.plain) - len(added) == len(
        visible(rejected)
    )


def test_texts_from_outside_are_shown_not_obeyed() -> None:
    hostile = "\x1b]8;;http://x\x07[/bold][link=x]\u202e\u200b\r\udc80"
    row = {"id": hostile, "chosen": [{"role": "user", "content": hostile}, {"role": "assistant", "content": hostile}]}
    row["rejected"] = row["chosen"]
    for shown in (printed(PairView(row, 0)), printed(table("", ["a"], [[hostile]])), printed(Diff("", hostile))):
        assert r"\udc80" in shown and shown.encode()
        assert "\x1b" not in shown and "\u202e" not in shown and r"\x1b]8;;" in shown and "[/bold]" in shown
