"""The pieces of a page: whatever is not markup of ours is only text."""

from __future__ import annotations

from html.parser import HTMLParser

from pairforge.html import element, joined, paragraphs, table


def elements(text: str) -> list[str]:
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append(tag)  # type: ignore[method-assign]
    parser.feed(text)
    return found


def test_texts_and_attributes_are_escaped() -> None:
    made = element("p", "<b>", element("i", "x & y"), title='"><script>', aria_label="'")
    assert made == '<p title="&#34;&gt;&lt;script&gt;" aria-label="&#39;">&lt;b&gt;<i>x &amp; y</i></p>'
    assert joined(["<", None, 3]) == "&lt;3" and paragraphs(["{x}", "%s"]) == "<p>{x}</p><p>%s</p>"
    assert "\u202e" not in element("p", "\u202eevil")


def test_a_table_has_headings_a_caption_and_numbers_at_the_right() -> None:
    made = table(("", "share", "what"), [("<a>", "1.5 %", "<img src=x>")], "All <of> it")
    assert elements(made) == [
        "div", "table", "caption", "thead", "tr", "td", "th", "th", "tbody", "tr", "th", "td", "td",
    ]  # fmt: skip
    assert 'scope="row"' in made and '<th scope="col" class="number">share' in made and "All &lt;of&gt; it" in made
    assert '<td class="number"' in made and '<td class="text"' in made
    assert elements(table(("a",), [], "none"))[-1] == "tbody"
