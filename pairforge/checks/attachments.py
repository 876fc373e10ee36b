"""PF1xx: what stands beside the texts of a row: calls of tools with their definitions, images, sounds and videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..text import json_value
from .row import Sides
from .rule import Seen, clip, rule

_MEDIA = {
    "image": (("images", "image"), frozenset(("image",))),
    "video": (("videos", "video"), frozenset(("video",))),
    "audio": (("audios", "audio"), frozenset(("audio",))),
}
"""For each kind the columns that hold the files, and the parts of a message that stand for one."""
_COLUMNS = frozenset(("tools", *(column for columns, _ in _MEDIA.values() for column in columns)))
_MARKS = tuple(f"<{kind}>" for kind in _MEDIA)


def attached(sides: Sides) -> bool:
    """Return False only if no rule of this file finds anything: nothing stands beside the texts, nor a mark of it."""
    if sides.annotated or not _COLUMNS.isdisjoint(sides.row):
        return True
    return "<" in sides.text and any(mark in sides.text for mark in _MARKS)


def _calls(sides: Sides) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the pointer and the function of every call of a tool."""
    for path, message in sides.messages:
        for at, call in enumerate(message.get("tool_calls") or ()):
            yield f"{path}/tool_calls/{at}/function", call["function"]


def tool_names(row: Mapping[str, Any]) -> set[str]:
    """Return the names of the `tools` of a row, a list or a JSON text; none where one of them can't be read."""
    found, tools = set[str](), row.get("tools")
    tools = json_value(tools) if isinstance(tools, str) else tools
    for tool in tools if isinstance(tools, list) else ():
        tool = tool.get("function", tool) if isinstance(tool, Mapping) else tool
        if not isinstance(tool, Mapping) or not isinstance(tool.get("name"), str):
            return set()
        found.add(tool["name"])
    return found


@rule("PF121", prefilter=attached)
def broken_call(sides: Sides) -> Iterator[Seen]:
    """The arguments of a tool call, or the definitions of the tools, are a text that is not JSON.

    Chat templates and programs parse them: training stops there, or the model learns calls that nothing can run.
    """
    for path, function in _calls(sides):
        if isinstance(text := function["arguments"], str) and not isinstance(json_value(text or "{}"), Mapping):
            yield f"the arguments of {clip(function['name'], 40)} are not a JSON object: {clip(text)}", path
    if isinstance(tools := sides.row.get("tools"), str) and tools.strip() and json_value(tools) is None:
        yield f"`tools` is a text that is not JSON: {clip(tools)}", "/tools"


@rule("PF122", prefilter=attached)
def unknown_tool(sides: Sides) -> Iterator[Seen]:
    """A call names a tool that is not among the `tools` of the row: the model learns to call what does not exist.

    In the rejected answer such a call may be just what is wrong with it, and does not count.
    """
    known = tool_names(sides.row)
    for path, function in _calls(sides):
        if known and not path.startswith("/rejected") and function["name"] not in known:
            yield f"the tool {clip(function['name'], 40)} is not in `tools`: {clip(sorted(known), 80)}", path


def _asked_for(sides: Sides, kind: str) -> int:
    """Return how many images (or sounds, or videos) the messages before and in the chosen answer stand for."""
    count = sum(turn["content"].count(f"<{kind}>") for turn in sides.chosen if turn["role"] != "assistant")
    parts = _MEDIA[kind][1]
    for path, message in sides.messages:
        if isinstance(content := message.get("content"), list) and not path.startswith("/rejected"):
            # A part that brings its own file needs none of the column.
            count += sum(part["type"] in parts and not any(map(part.get, ("url", *parts))) for part in content)
    return count


@rule("PF123", prefilter=attached)
def media_count(sides: Sides) -> Iterator[Seen]:
    """The texts stand for another number of images, videos or sounds than there are files: trainers stop there.

    `<image>`, or a part {"type": "image"}, stands for one of `images`; so do `<video>` and `<audio>`. A row without any
    of these marks is right: the files then come before the first message.
    """
    for kind, (columns, _) in _MEDIA.items():
        if column := next((name for name in columns if name in sides.row), ""):
            files = sides.row[column]
            there = len(files) if isinstance(files, list) else int(bool(files))
            if (asked := _asked_for(sides, kind)) and asked != there:
                yield f"{asked} x {kind} in the messages, {there} in `{column}`", f"/{column}"


@rule("PF124", "warning", prefilter=attached)
def no_media(sides: Sides) -> Iterator[Seen]:
    """The question stands for an image, a video or a sound, and the row has no column with its file.

    The file was left behind: the model is asked about something that it can't see.
    """
    for kind, (columns, _) in _MEDIA.items():
        if not any(name in sides.row for name in columns):
            asked = sides.question.strip()
            if asked.startswith(f"<{kind}>") or asked.endswith(f"<{kind}>"):
                yield f"the question has {f'<{kind}>'}, and there is no column `{columns[0]}`", ""
