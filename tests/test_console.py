"""What a reader sees: counts, differences, and never a control code from outside."""

import io
import re

import pytest
from rich.console import Console

from pairforge.console import note, outcome, progress, table
from pairforge.pair_view import Diff, PairView


def printed(thing: object, color: bool = False) -> str:
    target = io.StringIO()
    Console(file=target, force_terminal=color, color_system="standard" if color else None, width=120).print(thing)
    return target.getvalue()


def test_outcome() -> None:
    counts = {"pairs": 812, "skips": {"failed": 4, "nothing_to_correct": 143}}
    assert outcome(counts) == "812 pairs · 143 nothing to correct · 4 failed"


def test_texts_from_outside_are_shown_not_obeyed() -> None:
    hostile = "\x1b]8;;http://x\x07[/bold][link=x]\u202e\u200b\r\udc80"
    row = {"id": hostile, "chosen": [{"role": "user", "content": hostile}, {"role": "assistant", "content": hostile}]}
    row["rejected"] = row["chosen"]
    for shown in (printed(PairView(row, 0)), printed(table("", ["a"], [[hostile]])), printed(Diff("", hostile))):
        assert r"\udc80" in shown and shown.encode()
        assert "\x1b" not in shown and "\u202e" not in shown and r"\x1b]8;;" in shown and "[/bold]" in shown


def test_tables_have_no_blank_lines_and_no_trailing_blanks_and_are_whole_in_a_pipe() -> None:
    target = io.StringIO()
    Console(file=target, width=40, soft_wrap=True).print(table("", ["a", "what"], [["1", "word " * 40], ["2", "x"]]))
    assert target.getvalue().splitlines()[2:] == ["1  " + " " * 1 + ("word " * 40).rstrip(), "2   x"]
    assert not any(not line or line != line.rstrip() for line in target.getvalue().splitlines())


def progress_lines(monkeypatch: pytest.MonkeyPatch, reports: list[tuple[float, int, int, int]]) -> list[str]:
    """What is printed, not on a terminal, of reports (second, answers done, tokens, failures) of 100 answers."""
    clock = iter([0.0, *(second for second, *_ in reports)])
    monkeypatch.setattr("pairforge.console.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("sys.stderr", target := io.StringIO())
    with progress("ask") as tell:
        assert tell
        for _, done, tokens, failed in reports:
            tell(done, 100, tokens, failed)
    return target.getvalue().splitlines()


def test_progress_says_nothing_before_two_batches_and_leaves_out_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = [(0, 20, 0, 0), (1, 20, 0, 0), (500, 30, 100, 0)]
    assert not progress_lines(monkeypatch, reports)
    reports += [(520, 40, 300, 1), (521, 41, 310, 1), (9500, 45, 310, 1)]
    assert progress_lines(monkeypatch, reports) == [
        "ask: 40 of 100, 10 tokens/s, 1 failed, about 0:02:00 left",
        "ask: 45 of 100, 0 tokens/s, 1 failed, about 9:10:00 left",
    ]
    reports = [(0, 0, 0, 0), (10, 0, 0, 5), (30, 0, 0, 9)]
    assert progress_lines(monkeypatch, reports) == ["ask: 0 of 100, 9 failed"]


def test_progress_without_tokens_tells_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = progress_lines(monkeypatch, [(0, 0, 0, 0), (10, 1, 0, 0), (30, 2, 0, 0)])
    assert lines == ["ask: 2 of 100, about 0:32:40 left"]


def test_narrow_tables_lose_nothing_and_break_no_short_word() -> None:
    columns, row = ["name", "state", "model", "what"], ["correct-16c88b58", "complete", "pocket", "word " * 12 + "end"]
    for width in (30, 60, 80, 200):
        target = io.StringIO()
        Console(file=target, width=width).print(table("", columns, [row]))
        lines = target.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        body = target.getvalue().rpartition("─")[2]
        assert sorted(body.replace(" ", "").replace("\n", "")) == sorted("".join(row).replace(" ", ""))
        assert width < 80 or all(cell in lines[2] for cell in row[:3])


def test_notes_wrap_at_words_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "warning: pairs without a system message will be trained with that one in the prompt"
    for terminal in (True, False):
        target = io.StringIO()
        monkeypatch.setattr(target, "isatty", lambda terminal=terminal: terminal, raising=False)
        monkeypatch.setattr("sys.stderr", target)
        monkeypatch.setenv("COLUMNS", "40")
        monkeypatch.setenv("TERM", "xterm")
        note(line)
        lines = re.sub(r"\x1b\[[\d;]*m", "", target.getvalue()).splitlines()
        assert " ".join(map(str.strip, lines)) == line and (len(lines) > 1) == terminal
        assert all(len(one) <= 40 for one in lines) or not terminal
