"""What the replies of OpenAI-compatible servers say, in whichever of the many shapes: answers, thoughts and errors.

Any part of a reply may be missing or of another type: nothing here raises for that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..resources import compiled
from ..thoughts import THOUGHT_KEYS

_CAN_BE_LEFT_OUT = (
    "max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "stop", "chat_template_kwargs", "logprobs",
    "top_logprobs", "response_format", "n",
)  # fmt: skip
ZERO = "temperature 0"
"""The name of a refusal: a server takes temperatures, but not 0."""
_ERRORS = (
    ("error", "message"), ("error",), ("choices", 0, "error", "message"), ("message",), ("detail",),
    ("errors", 0, "message"), ("errors",), ("msg",), ("error_msg",),
)  # fmt: skip
_STATUS = {
    "invalid_api_key": 401, "authentication_error": 401, "unauthenticated": 401, "unauthorized": 401,
    "insufficient_quota": 402, "permission_denied": 403, "model_not_found": 404, "rate_limit_exceeded": 429,
    "rate_limit_error": 429, "resource_exhausted": 429, "overloaded_error": 529, "invalid_request_error": 400,
    "invalid_argument": 400,
}  # fmt: skip
"""What the codes and types of errors would be as a status, where they came under a 200."""


def parsed(content: bytes) -> Any:
    """Return a body as JSON; the events of a stream, which some servers send unasked, as the one reply they make.

    Raises ValueError for what is neither.
    """
    try:
        return json.loads(content)
    except ValueError:
        lines = map(str.strip, content.decode("utf-8", "replace").splitlines())
        data = [line.removeprefix("data:").strip() for line in lines if line.startswith(("data:", "{", "["))]
        events = [json.loads(line) for line in data if line != "[DONE]"]
        if not events:
            raise
        streamed = len(events) > 1 or value_at(events[0], "choices", 0, "delta") is not None
        return _joined(events) if streamed else events[0]


def _joined(events: list[Any]) -> Any:
    """Return the events of a stream as one reply; the first error among them where there is one."""
    whole: dict[str, Any] = {}
    choices: dict[Any, dict[str, Any]] = {}
    for event in events:
        if error_status(event):
            return event
        whole |= {key: value for key in ("model", "usage") if (value := value_at(event, key))}
        for choice in value_at(event, "choices") or ():
            one = choices.setdefault(str(value_at(choice, "index")), {"finish_reason": None, "message": {}})
            one["finish_reason"] = value_at(choice, "finish_reason") or one["finish_reason"]
            for key in ("content", "refusal", *THOUGHT_KEYS):
                if isinstance(more := value_at(choice, "delta", key) or value_at(choice, "message", key), str):
                    one["message"][key] = one["message"].get(key, "") + more
    return {**whole, "choices": [*choices.values()]}


def text_and_thought(message: Any) -> tuple[str | None, str | None]:
    """Return the text of an answer, and its thought; None for what a message doesn't have."""
    content = value_at(message, "content")
    thoughts = [found for key in THOUGHT_KEYS if (found := "".join(_texts(value_at(message, key))))]
    if not isinstance(content, list | dict):
        return content if isinstance(content, str) else None, next(iter(thoughts), None)
    texts: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        known = value_at(part, "type") in (None, "text", "output_text")
        (texts if known else thoughts).extend(_texts(part))
    return "".join(texts) if texts or thoughts else None, "\n".join(dict.fromkeys(thoughts)) or None


def _texts(part: Any) -> Iterator[str]:
    """Yield the texts in a part of a content: a text, or an object or a list that holds some."""
    if isinstance(part, str):
        yield part
    for inner in part if isinstance(part, list) else map(part.get, _TEXTS) if isinstance(part, dict) else ():
        yield from _texts(inner)


_TEXTS = ("text", *THOUGHT_KEYS)


def refused_parameter(content: bytes, body: Mapping[str, Any]) -> str | None:
    """Return the parameter of a request that the body of an error refuses, None where it is about something else.

    Of several, it is the first one that is named; the next answer of the server names the next one. A temperature of 0
    that is refused where others are not is `ZERO`.
    """
    sent = [name for name in body if name in _CAN_BE_LEFT_OUT]
    reply = _read(content)
    text = _message(reply).lower()
    if body.get("temperature") == 0 and any(
        compiled("refused_parameters", "zero").search(sentence) and re.search(_named("temperature"), sentence)
        for sentence in _sentences(text)
    ):
        return ZERO
    if compiled("refused_parameters", "out_of_range").search(text):
        # No user can change these.
        return next((name for name in ("logprobs", "n") if name in sent and re.search(_named(name), text)), None)
    error = value_at(reply, "error")
    text = f"{text} {value_at(error, 'code')}".lower()
    named = [name for name in sent if name == value_at(error, "param")]
    if named and compiled("refused_parameters", "refused").search(text):
        return named[0]
    for sentence in _sentences(text):
        if compiled("refused_parameters", "refused").search(sentence):
            found = [(at.start(), name) for name in sent if (at := re.search(_named(name), sentence))]
            if found:
                # "temperature and top_p cannot both be specified": the temperature says more.
                return "top_p" if "both" in sentence and "top_p" in sent else min(found)[1]
    return None


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.;])\s|。", text)


def _named(parameter: str) -> str:
    """Return the pattern of a parameter's name in a lower-case sentence, where Chinese letters may stand beside it."""
    return rf"(?<![a-z0-9_]){'(?:top_)?' if parameter == 'logprobs' else ''}{parameter}(?![a-z0-9_])"


def error_status(reply: Any) -> int:
    """Return the status of an error that came under a 200, 0 where the reply is none."""
    reply = _first(reply)
    error = value_at(reply, "error") or value_at(reply, "choices", 0, "error")
    if not error and (value_at(reply, "object") == "error" or (value_at(reply, "choices") is None and _said(reply))):
        error = reply
    if not error:
        return 0
    for key in ("code", "status", "type"):
        code = str(value_at(error, key) or "").lower()
        if re.fullmatch(r"[45]\d\d", code):
            return int(code)
        if code in _STATUS:
            return _STATUS[code]
    return 500


def error_message(body: bytes) -> str:
    """Return the message in the body of an error: of JSON as the various servers write it, or a plain text."""
    return _message(_read(body))


def _read(body: bytes) -> Any:
    """Return the body of an error as JSON; a plain text as JSON that says it, a web page as JSON that says nothing."""
    try:
        return _first(parsed(body))
    except (ValueError, RecursionError):
        text = body[:1000].decode("utf-8", "replace").strip()
        return {"message": "" if text.startswith("<") else text}


def _message(reply: Any) -> str:
    found = _said(reply)
    return found if isinstance(found, str) else json.dumps(found)


def _said(reply: Any) -> Any:
    """Return what a reply says of an error, as the various servers write it; empty where it says nothing."""
    return next((value for path in _ERRORS if (value := value_at(reply, *path)) is not None), "")


def _first(reply: Any) -> Any:
    """Return an error without the list around it, which Gemini's servers write."""
    return reply[0] if isinstance(reply, list) and reply else reply


def value_at(value: Any, *path: str | int) -> Any:
    """Return the value at a path in JSON, or None."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and len(value) > step:
            value = value[step]
        else:
            return None
    return value
