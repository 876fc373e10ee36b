"""Texts from outside: invisible characters and control tokens, how to show texts safely, how far two are apart."""

from __future__ import annotations

import difflib
import json
import re
import traceback
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

# Character classes: what is written between the brackets of a pattern.
CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
"""Control characters other than tab and line ends."""
BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Marks of the direction of writing."""
FILLERS = "\u115f\u1160\u3164\uffa0"
"""Hangul letters that are drawn as nothing."""
JOINERS = "\u00ad\u034f\u17b4\u17b5\u180b-\u180f\u200b-\u200d"
"""What joins or separates letters: some scripts are not written without it."""
IDEOGRAPHIC = "\U000e0100-\U000e01ef"
"""Variation selectors of ideographs: rare, and able to carry a byte each behind any other character."""
VARIATIONS = "\ufe00-\ufe0f" + IDEOGRAPHIC
"""Variation selectors: they change how the character before them is drawn."""
TAGS = "\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
"""Format characters that no text needs but those of flags."""
INVISIBLE = JOINERS + BIDI + FILLERS + VARIATIONS + TAGS
"""All that is drawn as nothing, spaces and control characters apart."""
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""Scripts without a space between words, for the module regex."""

# What chat templates and reasoning models write around a text.
SPECIAL_TOKENS = {
    "<": r"<(?!/?seed:think>|\|(?:(?:begin|end)_of_(?:thought|solution)|(?:START|END)_THINKING)\|)"
    r"(?:[|｜][^\s|｜<>]{1,40}[|｜]>|</?SYS>>"
    r"|(?:bos|eos|pad|unk|sop|eop|eoh|eoa|eom|eod|start_of_turn|end_of_turn|start_of_image|end_of_image)>"
    r"|(?:extra_id_\d+|reserved_\d+|SPECIAL_\d+|fim_(?:prefix|middle|suffix)|seed:[a-z_:]+)>"
    r"|(?:begin|beginning|end)_of_(?:text|sentence|turn)>)",
    "[": r"\[(?:\|[a-z_]{1,20}\|\]|(?:BOS|EOS|PAD|UNK|[gs]MASK)\]"
    r"|/?(?:INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT)\])",
}
"""Patterns of control tokens, by the character with which they begin; tags of a block of thought are left out."""
LEFTOVER_TOKEN = "|".join((*SPECIAL_TOKENS.values(), "</?s>", "<no(?:in|out)put>"))
"""What a template or a prompt format leaves at the edge of a text."""


MAX_DEPTH = 64
"""Levels of a JSON value from outside; deeper ones exhaust the stack of many a reader."""


def same_words(a: str, b: str) -> bool:
    """Return True if two texts differ at most in spaces and case."""
    return "".join(a.split()).casefold() == "".join(b.split()).casefold()


def folded(text: str, form: Literal["NFC", "NFKC"] = "NFKC") -> str:
    """Return a text in one case and one normal form of Unicode, NFKC also in one width, with single spaces."""
    return " ".join(unicodedata.normalize(form, text).casefold().split())


def characters(ranges: str) -> str:
    """Return all characters of a class such as "a-cx"."""
    return re.sub("(.)-(.)", lambda found: "".join(map(chr, range(ord(found[1]), ord(found[2]) + 1))), ranges)


OUTCOME_STYLES = {"PASS": "bold green", "FAIL": "bold red"}
_STYLES = {
    **{rf"\b{word}\b": style for word, style in OUTCOME_STYLES.items()},
    r"(?m)^error(?=:)": "bold red",
    r"(?m)^warning(?=:)": "bold yellow",
    r"\b[1-9][\d,]* errors?\b": "red",
    r"\b[1-9][\d,]* warnings?\b": "yellow",
}
"""How words that a reader looks for are coloured on a terminal."""
_HIDDEN = re.compile(f"[{CONTROL}\r\u2028\u2029\ud800-\udfff{JOINERS}{BIDI}{FILLERS}{TAGS}{IDEOGRAPHIC}]")


def visible(text: str) -> str:
    """Return a text from outside made safe to print: control and invisible characters shown as escapes."""
    return _HIDDEN.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def escaped(text: str) -> str:
    """Return what `visible` does, with line ends and tabs as escapes, too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def one_line(text: object, length: int = 120) -> str:
    """Return what comes from outside, cut and made safe for a message of one line."""
    return visible(" ".join(str(text).split())[:length])


def json_value(text: str) -> Any:
    """Return the value of a JSON text; None where it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def mapping_of(value: Any) -> Mapping[str, Any]:
    """Return a value of a JSON text that should be an object; an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}


def outside_json(text: str) -> Any:
    """Return the value of a JSON text that anybody may have written.

    Raises ValueError also for what can't be written again: numbers that are not finite, half characters, and more than
    `MAX_DEPTH` levels.
    """
    value = json.loads(text)
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        inside = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [*chain.from_iterable(inside)]
    if level:
        raise ValueError(f"more than {MAX_DEPTH} levels")
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


def plural(count: float, noun: str) -> str:
    """Return a count with its noun: 1 row, 2 rows, 0.5 points."""
    shown = f"{count:g}" if isinstance(count, float) else count
    return f"{shown} {noun}" if count == 1 else f"{shown} {noun}s"


def first_few(items: Sequence[object], most: int) -> str:
    """Return the first items in one line, with dots where there are others: `3, 5, 8 ...`."""
    return ", ".join(map(str, items[:most])) + " ..." * (len(items) > most)


def listed(items: Sequence[object], most: int) -> str:
    """Return the first items in one line, with the number of the others: `a, b and 7 more`."""
    more = len(items) - most
    return ", ".join(map(str, items[:most])) + (f" and {more} more" if more > 0 else "")


def a_type(value: object) -> str:
    """Return the type of a value for a message: a float, an int."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


_KINDS: dict[type, str] = {
    str: "a text",
    list: "a list",
    dict: "an object",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def kind_of(value: object) -> str:
    """Return what a value is, for a reader, in the words of JSON."""
    return _KINDS.get(type(value)) or f"a {type(value).__name__}"


def and_others(texts: Sequence[str]) -> str:
    """Return the first of some texts, and whether others differ from it."""
    return texts[0] + (" (and others)" if any(text != texts[0] for text in texts) else "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the hint "did you mean 'x'?", or 'x' or 'y', for a misspelt word; empty where nothing known is like it.

    Letter case, - against _, and dashes at the start make no difference. What begins with the word comes first.
    """

    def plain(text: str) -> str:
        return text.lower().replace("_", "-").lstrip("-")

    names, meant = {plain(name): name for name in known}, plain(word)
    longer = [name for name in names if len(meant) > 2 and name.startswith(meant)]
    near = [meant] if meant in names else longer or difflib.get_close_matches(meant, names, n=2)
    found = [names[name] for name in near[:2]]
    return f"did you mean {' or '.join(map(repr, found))}?" if found else ""


def status_highlighter() -> Callable[[str], Any]:
    """Return what makes a text of rich, with PASS, FAIL, and `error:` and `warning:` at a line's start in colour."""
    from rich.text import Text

    def highlighted(text: str) -> Text:
        made = Text(text)
        for pattern, style in _STYLES.items():
            made.highlight_regex(pattern, style)
        return made

    return highlighted


def error_line(error: BaseException) -> str:
    """Return an error in one line of bounded length, led by its type where the text alone would say little."""
    line = one_line(error, 300)
    return line if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}: {line}"


def why_unreadable(error: OSError | UnicodeDecodeError) -> str:
    """Return why a text file can't be read, as a part of a message."""
    return (isinstance(error, OSError) and error.strerror) or "it is not UTF-8"


def error_place(error: BaseException, *machinery: str) -> str | None:
    """Return the file:line in a user's own code, the first file or one in its folder, where an error was raised.

    `machinery` are the files that called this code: they do not count as the user's.
    """
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in machinery and not frame.filename.startswith("<frozen")
    ]
    own = [frame for frame in frames if Path(frame.filename).parent == Path(frames[0].filename).parent]
    if not own:
        return None
    file = Path(own[-1].filename)
    here = Path.cwd()
    return f"{file.relative_to(here) if file.is_relative_to(here) else file}:{own[-1].lineno}"


def raised(what: str, error: BaseException, *machinery: str) -> str:
    """Return that a user's own code raised an error, and where: `the judge f raised ValueError('x') at f.py:3`."""
    place = error_place(error, *machinery)
    return f"{what} raised {error!r:.200}" + (f" at {place}" if place else "")


def lone_surrogate(text: str) -> str | None:
    """Return the first half of a surrogate pair in a text: UTF-8 cannot hold it."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return text[error.start]
    return None


def without_surrogates(text: str) -> str:
    """Return a text with U+FFFD in place of halves of surrogate pairs."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def byte_size(count: float) -> str:
    """Return a number of bytes for a reader: 12.3 MB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"


def common_prefix(one: Sequence[object], other: Sequence[object]) -> int:
    """Return with how many items (tokens, messages) both sequences begin."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return how many tokens must be inserted, deleted or replaced to make one of the other (Levenshtein distance).

    A column of the matrix at once, as the bits of two integers: where a step down is +1, and where -1 (Myers 1999, A
    fast bit-vector algorithm, as simplified by Hyyro 2003).
    """
    if not one:
        return len(other)
    places: dict[Hashable, int] = {}
    for index, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << index
    whole, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    up, down, distance = whole, 0, len(one)
    for token in other:
        same = places.get(token, 0)
        level = (((same & up) + up) ^ up) | same
        right, left = down | ~(level | up), up & level
        distance += bool(right & last) - bool(left & last)
        right, left = right << 1 | 1, left << 1
        up, down = (left | ~(same | down | right)) & whole, right & (same | down) & whole
    return distance
