"""What a chat server sent: an answer, or in one line why it is none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Literal

from ..types import Answer, Skip, visible
from .adaptive import Trouble

_FINISH: dict[str, Literal["stop", "length"]] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "stop_sequence", "end_turn"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_length"), "length"),
}
_WITHHELD = ("content_filter", "safety", "refusal", "tool_calls", "function_call")
_OWN_NAME = 3  # replies under one name and none under the asked one, after which it is the server's own for that model


class Replies:
    """Reads the replies of one server to requests for answers of one model (None: whichever), ended by `stop` strings.

    A reply under another model's name, as from a balancer before two models, is none. Many servers have names of their
    own, though: one that stays the same while the asked one never appears is taken for that.
    """

    def __init__(self, model: str | None, stop: Sequence[str]) -> None:
        self._model, self._stop = model, stop
        self._foreign: Counter[str] = Counter()
        self._named = False

    def read(self, reply: Any) -> Answer | Skip | Trouble:
        """A parsed body. None of it is taken on trust: whatever is missing or of another type makes it no answer."""
        finish = str(_at(reply, "choices", 0, "finish_reason")).lower()
        text = _at(reply, "choices", 0, "message", "content")
        if finish in _WITHHELD:
            return Skip("refused", f"the server ended the answer by {finish}")
        if not isinstance(text, str):
            return Trouble("failed", "a reply without an answer")
        if finish not in _FINISH:
            return Trouble("failed", f"an answer not said to be whole, finish_reason {line(finish, '')}")
        if self._is_foreign(_at(reply, "model")):
            return Trouble("failed", f"an answer by another model, {line(str(_at(reply, 'model')), '')}")
        tokens = _at(reply, "usage", "completion_tokens")
        whole = _writable(text)
        # Some servers leave the stop string on.
        ends = [whole.index(stop) for stop in self._stop if stop in whole]
        return Answer(
            whole[: min(ends, default=None)].strip(),
            "stop" if ends else _FINISH[finish],
            tokens if type(tokens) is int and tokens > 0 else 0,
        )

    def _is_foreign(self, name: Any) -> bool:
        if not self._model or not isinstance(name, str) or not name:
            return False
        if _same(name, self._model):
            self._named = True
            return False
        self._foreign[name] += 1
        return self._named or len(self._foreign) > 1 or self._foreign[name] <= _OWN_NAME


def retry_after(header: str | None) -> float:
    """Seconds by the header of that name, which holds seconds or a date; 0 where neither can be read."""
    try:
        seconds = float(header or 0)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(str(header)).timestamp() - time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return seconds if seconds > 0 else 0.0


def complaint(body: bytes) -> str:
    """What an error's body says: the message in JSON, by any of the servers' habits, or a plain text."""
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        text = body[:1000].decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else text
    paths = (("error", "message"), ("error",), ("message",), ("detail",))
    found = next((value for path in paths if (value := _at(reply, *path)) is not None), "")
    return found if isinstance(found, str) else json.dumps(found)


def line(text: str, key: str) -> str:
    """A text from outside as one line that can be shown: escaped, of bounded length, and without the key."""
    plain = " ".join(text.split())
    return visible(plain.replace(key, "(the key)") if key else plain)[:300]


def _at(value: Any, *path: str | int) -> Any:
    """What lies there, or None. The types of huggingface_hub are dicts whose methods a reply can overwrite."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = dict.get(value, step)
        elif isinstance(step, int) and isinstance(value, list) and len(value) > step:
            value = value[step]
        else:
            return None
    return value


def _same(name: str, asked: str) -> bool:
    """Whether one name is the other but for owner and folder before it, and tag, date or revision after it."""
    short, long = sorted((each.lower().rstrip("/").rpartition("/")[-1] for each in (name, asked)), key=len)
    return long.startswith(short) and not long[len(short) :][:1].isalnum()


def _writable(text: str) -> str:
    """Lone surrogates, which UTF-8 can't hold, become U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
