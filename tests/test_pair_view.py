"""A pair as a reader sees it: every difference is marked, and nothing is cut off."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from support import pair

from pairforge.pair_view import Diff, PairView, alike
from pairforge.text import visible


def printed(thing: object, color: bool = False, width: int = 120, piped: bool = False) -> str:
    target = io.StringIO()
    console = Console(
        file=target, force_terminal=color, color_system="standard" if color else None, width=width, soft_wrap=piped
    )
    console.print(thing)
    return target.getvalue()


def test_a_diff_marks_words_with_and_without_colour() -> None:
    diff = Diff("I am Qwen. 我是Qwen。", "I am Deep Qwen. 我是Deep Qwen。")
    assert printed(diff).strip() == "I am{+ Deep+} Qwen. 我是{+Deep +}Qwen。"
    assert "\x1b[1;32m{+ Deep+}" in printed(diff, color=True)
    assert "[-Llama-]{+Athene+}" in printed(Diff("I am Llama.", "I am Athene."))


@given(st.text(), st.text())
def test_a_diff_holds_both_sides(rejected: str, chosen: str) -> None:
    text = Diff(rejected, chosen).text(marks=False)
    added = "".join(text.plain[span.start : span.end] for span in text.spans if "green" in str(span.style))
    removed = "".join(text.plain[span.start : span.end] for span in text.spans if "red" in str(span.style))
    assert len(text.plain) - len(removed) == len(visible(chosen)) and len(text.plain) - len(added) == len(
        visible(rejected)
    )


def test_replaced_words_never_run_into_one_another() -> None:
    text = Diff("DPO is a way.", "DPO trains a model.").text().plain
    assert text == "DPO [-is-]{+trains+} a [-way-]{+model+}."


LONG = " ".join(f"word{number}" for number in range(200))


def test_no_answer_is_cropped() -> None:
    said = pair(f"{LONG} Athene", f"{LONG} Llama", "Who are you? " + LONG)
    lines = printed(PairView(said, 0), width=80, piped=True).splitlines()
    assert lines[1:] == [f"  user: Who are you? {LONG}", f"  {LONG} [-Llama-]{{+Athene+}}"]
    for width in (30, 80, 200):
        lines = printed(PairView(said, 0), width=width).splitlines()
        assert max(map(len, lines)) <= width and not any(line != line.rstrip() for line in lines)
        assert " ".join(" ".join(lines[1:]).split()) == f"user: Who are you? {LONG} {LONG} [-Llama-]{{+Athene+}}"


def test_answers_that_differ_in_most_words_are_shown_one_below_the_other() -> None:
    said = pair("52 minus 46 is 6.", "The answer I would give here is 16.", "?", chosen_score=1.0, rejected_score=0.25)
    assert printed(PairView(said, 4)).splitlines() == [
        "pair 4  scores 1 and 0.25, margin 0.75",
        "  user: ?",
        "  chosen: 52 minus 46 is 6.",
        "  rejected: The answer I would give here is 16.",
    ]
    assert not alike("我很好", "你是谁呀") and alike("我是Qwen", "我是Deep Qwen")


def test_side_by_side_fits_the_width() -> None:
    said = pair(f"{LONG} Athene", f"{LONG} Llama", "Who?")
    for width in (40, 80, 200):
        lines = printed(PairView(said, 0, side_by_side=True), width=width).splitlines()
        assert max(map(len, lines)) <= width
        assert "{+Athene+}" in "".join(lines) and "[-Llama-]" in "".join(lines)


def test_answers_that_loop_are_compared_at_once() -> None:
    for one, other in (
        ("/" * 8000, "x" + "/" * 8000 + "y"),
        (" ".join(str(n % 150) for n in range(8000)), "q " + " ".join(str(n % 149) for n in range(8000)) + " z"),
    ):
        text = Diff(one, other).text(marks=False)
        removed, added = (
            "".join(text.plain[s.start : s.end] for s in text.spans if c in str(s.style)) for c in ("red", "green")
        )
        assert len(text.plain) == len(one) + len(added) == len(other) + len(removed)


def test_sides_that_differ_in_several_turns_are_shown_whole() -> None:
    ask, tell = ({"role": "user", "content": "And?"}, {"role": "assistant", "content": "So."})
    said = pair("yes", "no", "Who?")
    said["chosen"] += [ask, tell]
    text = printed(PairView(said, 0))
    assert "chosen: assistant: yes\n  user: And?\n  assistant: So." in text and "rejected: no" in text


def test_parts_and_calls_of_tools_are_shown() -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "look", "arguments": {}}}]}
    parts = {"role": "user", "content": [{"type": "text", "text": "Weather?"}]}
    text = printed(PairView({"prompt": [parts], "chosen": [call], "rejected": [call | {"tool_calls": None}]}, 0))
    assert "user: Weather?" in text and '"name": "look"' in text


def test_signs_that_the_marks_are_made_of_are_not_put_into_marks() -> None:
    said = pair("12 + 30 = 42, which is right", "12 plus 30 is 42, which is right", "?")
    assert printed(PairView(said, 0)).splitlines()[2:] == [
        "  chosen: 12 + 30 = 42, which is right",
        "  rejected: 12 plus 30 is 42, which is right",
    ]
    said = pair("12 + 30 = 43, which is right", "12 + 30 = 42, which is right", "?")
    assert printed(PairView(said, 0)).splitlines()[2:] == ["  12 + 30 = [-42-]{+43+}, which is right"]
