"""PF1xx: is a well-shaped row a preference that a model can learn from? What its texts hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .refusals import refuses
from .rules import Seen, clip, rule
from .sentinels import is_error
from .sides import Sides

_JOINING = """
the a an and or of to in with for from by as at which who whose because if than its their your our my is are was were
into onto about between under when where while although und oder der die das ein eine mit von et ou le la les un une de
des du avec y o el los las con para
"""
_UNFINISHED = frozenset(_JOINING.split())
_NEVER_LAST = frozenset(("the", "an", "and", "because", "although", "whose", "und", "et", "y"))
FINISH = {
    side: tuple(f"{side}_{name}" for name in ("finish_reason", "finish", "stop_reason", "truncated"))
    for side in ("chosen", "rejected")
}
_CUT = ("length", "max_tokens", "max_length", "token_limit", "MAX_TOKENS", True)
_ENDS = frozenset(".!?…\"'”’)]}>`*。！？」』”|:;~")
_SHORT, _LONG = 25, 120
"""Characters from which on an answer may be seen to be cut off: by a word with which none ends, by one that few do."""
_CONTROL = "\\x01-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f"
_ALWAYS = "\\u2060-\\u2065\\u206a-\\u206f\\ufeff\\ufff9-\\ufffb\\ufffd\\U000e0000-\\U000e007f"
_JOINERS = "\u00ad\u180e\u200b\u200c\u200d"
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069"
_HIDDEN = re.compile(f"[{_CONTROL}{_ALWAYS}{_JOINERS}{_BIDI}\u202d\u202e]")
# Joiners, and the space that tells words apart where no space is written, belong to many scripts and to emoji.
_JOINED = re.compile("[\u0590-\u109f\u1780-\u1aff\ua800-\uabff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]")
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f")
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufefc]")


@rule("PF107")
def error_sentinel(sides: Sides) -> Iterator[Seen]:
    """An answer is the text of an error that some program stored in its place.

    Such as "Error: failed to generate response.". The model learns to say it, or that anything else is better.
    """
    for name, index, text in sides.answers():
        if is_error(text):
            yield f"an error message as answer: {clip(text.strip())}", sides.pointer(name, index) + "/content"


@rule("PF111", "warning")
def cut_off(sides: Sides) -> Iterator[Seen]:
    """An answer stops in the middle: the model ran into its token limit.

    As chosen it teaches to stop anywhere, as rejected that it was the end that was wrong.
    """
    for name, index, text in sides.answers():
        said = breaks_off(text)
        for column in FINISH[name]:
            if column in sides.row and sides.row[column] in _CUT:
                said = f"{column} is {clip(sides.row[column])}"
        if said:
            yield f"the answer is cut off: {said}", sides.pointer(name, index) + "/content"


def breaks_off(text: str) -> str:
    """Where a text shows that it was cut off."""
    if "`" in text and text.count("```") % 2 == 1:
        return "a block of code is not closed"
    last = text[-1:]
    if len(text) < _SHORT or last in _ENDS:
        return ""
    end = text[-30:].rstrip()
    if end[-1:] in (",", "(", "，", "、", "（"):
        return f"it ends in {end[-1:]!r}" if len(text) >= _LONG else ""
    word = end.rpartition(" ")[2].lstrip("([\"'")
    unfinished = word in (_UNFINISHED if len(text) >= _LONG else _NEVER_LAST)
    return f"it ends in {word!r}" if unfinished and "\n" not in end else ""


@rule("PF112", "warning")
def refused(sides: Sides) -> Iterator[Seen]:
    """The chosen answer refuses, and the rejected one does not: the model learns to refuse what it can do.

    Meant in a set about safety; elsewhere it is mostly a judge that liked the politer answer.
    """
    chosen, role = sides.chosen[-1]["content"], sides.chosen[-1]["role"]
    if role == "assistant" and refuses(chosen) and not refuses(sides.rejected[-1]["content"]):
        where = sides.pointer("chosen", len(sides.chosen) - 1)
        yield f"the chosen answer is a refusal: {clip(chosen.strip())}", where + "/content"


@rule("PF116", "warning")
def hidden_character(sides: Sides) -> Iterator[Seen]:
    """A text holds what nobody sees: control, bidi, zero-width or tag characters, or the mark of a lost byte (U+FFFD).

    They split words into other tokens, hide instructions from a reader, and mark texts as machine-made.
    """
    if sides.visible:
        return
    for name, index, _, text in sides.turns():
        if found := hidden(text):
            yield f"the hidden character U+{ord(found):04X} in a text", sides.pointer(name, index) + "/content"


def hidden(text: str) -> str | None:
    """The first character of a text that nobody sees, and that nothing there asks for."""
    text = _FLAG.sub("", text) if "\U0001f3f4" in text else text
    for match in _HIDDEN.finditer(text):
        char, at = match.group(), match.start()
        if char in _JOINERS and (_JOINED.match(text, at + 1) or (at and _JOINED.match(text, at - 1))):
            continue
        if char not in _BIDI or not _RIGHT_TO_LEFT.search(text):
            return char
    return None
