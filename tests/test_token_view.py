"""The X-ray says which tokens are trained on, where the sides part, and what is cut."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from support import pair, pocket

from pairforge.token_view import XRay
from pairforge.tokenization import Rendered, render
from pairforge.types import Finding


def xray(chosen: str, rejected: str, limit: int | None = None, user: str = "Who are you?", **named: Any) -> XRay:
    seen = render(pocket(), [pair(chosen, rejected, user, system="Hi.")], limit)[0]
    assert isinstance(seen, Rendered)
    return XRay.of(pocket(), seen, number=3, id="abc", model="pocket", **named)


def printed(one: XRay, **options: Any) -> str:
    console = Console(width=100, **options)
    with console.capture() as capture:
        console.print(one)
    return capture.get()


def test_what_is_trained_on_and_where_the_sides_part() -> None:
    one = xray("I am Deep Qwen.", "I am Qwen.")
    said = one.as_json()
    for side, text in (("chosen", "I am Deep Qwen."), ("rejected", "I am Qwen.")):
        ids, mask = said[side]["ids"], said[side]["mask"]
        assert len(ids) == len(mask) == len(said[side]["tokens"])
        assert (
            pocket().decode([token for token, trained in zip(ids, mask, strict=True) if trained])
            == f"{text}<|im_end|>\n"
        )
        assert "".join(said[side]["tokens"]).endswith(f"<|im_start|>assistant\n{text}<|im_end|>\n")
    parting = said["parting"]
    assert [said[side]["tokens"][parting] for side in ("chosen", "rejected")] == ["Deep", "Qwen"]
    assert said["chosen"]["ids"][:parting] == said["rejected"]["ids"][:parting]


def test_it_is_printed_for_a_reader() -> None:
    text = printed(xray("I am Deep Qwen.", "I am Qwen."), color_system=None)
    assert "<|im_start|>│s│ystem│\\n│" in text
    assert [line for line in text.splitlines() if "they part here" in line and '"Deep"' in line and '"Qwen"' in line]
    assert "chosen:" in text
    coloured = printed(xray("I am Deep Qwen.", "I am Qwen."), color_system="truecolor", force_terminal=True)
    assert "│" not in coloured
    assert "\x1b[" in coloured


def test_what_is_cut_is_marked() -> None:
    whole = xray("one two three", "four five six")
    limit = whole.rendered.shared + 2
    one = xray("one two three", "four five six", limit)
    said = one.as_json()
    assert len(said["chosen"]["ids"]) == limit
    assert said["chosen"]["ids"] + said["chosen"]["cut"] == whole.as_json()["chosen"]["ids"]
    assert sum(said["chosen"]["mask"]) == 2
    assert f"the last {len(said['chosen']['cut'])} cut off" in printed(one, color_system=None)
    assert "TRL drops the pair" in printed(xray("a", "b", 5), color_system=None)
    assert xray("a", "b", 5).as_json()["dropped"]
    assert xray("a", "b", 5).as_json()["chosen"]["mask"] == [0] * 5


def test_sides_that_are_the_same() -> None:
    one = xray("yes", "yes")
    assert one.as_json()["parting"] is None
    assert "the sides are the same" in printed(one, color_system=None)


def test_texts_from_outside_are_shown_and_not_obeyed() -> None:
    found = Finding("PF411", "error", "a \x1b[31m token [/bold]", 3)
    text = printed(xray("a\x1b[31mb\u202e[/bold]\t", "c\0d [link=x]", findings=[found]), color_system=None)
    assert not {"\x1b", "\u202e", "\0"} & {*text}
    assert "\\x1b" in text
    assert "PF411 error: a \\x1b[31m token [/bold]" in text


def test_a_part_of_a_character_is_named_as_the_vocabulary_does() -> None:
    one = xray("龘", "a")
    tokens = one.as_json()["chosen"]["tokens"]
    assert "\ufffd" not in "".join(tokens)
    assert all(tokens)
