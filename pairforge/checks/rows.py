"""PF1xx: is a well-shaped row a preference that a model can learn from?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .rules import Seen, clip, rule
from .sides import Sides, answer, both

_SENTINEL = re.compile(
    r"""[\W_]*(?:
      (?:\w+\.)*(?:\w*Error|\w*Exception)\b\s*(?:code\s*)?[:(\]-].{0,240}     # Error: ..., openai.RateLimitError(...)
    | (?:error|exception)\ (?:code|in|while|when|during|generating|occurred|processing)\b.{0,200}
    | (?:an?\ )?(?:\w+\ )?error\ (?:has\ )?occurred\b.{0,200}
    | (?:(?:sorry|oops)\W+)?(?:failed|unable|could\ not|couldn't)\ to
      \ (?:generate|get|fetch|obtain|retrieve|parse|decode|load)\ .{0,120}
    | traceback\ \(most\ recent\ call\ last\).*
    | (?:request|response|connection|generation|inference|api\ call|server|model)\s
      (?:has\ |was\ )?(?:timed\ ?out|failed|refused|reset|aborted|overloaded)\b.{0,120}
    | (?:\w+\ )?(?:rate\ ?limit|quota)\ (?:was\ |is\ )?(?:exceeded|reached)\b.{0,200}
    | (?:http\s*(?:error)?\W*)?[45]\d\d\W+(?:client\ error|server\ error|too\ many\ requests|bad\ gateway|bad\ request
      |service\ unavailable|gateway\ time-?out|internal\ server\ error|unauthorized|forbidden|not\ found)\b.{0,200}
    | (?:internal\ server\ error|bad\ gateway|service\ unavailable|cuda\ out\ of\ memory)\b.{0,120}
    | no\ (?:response|answer|output|completion)(?:\ (?:was\ )?(?:generated|received|returned|available))?
    | nan|undefined|\[object\ object\]
    | (?:错误|出错|异常)\s*[:：].{0,200} | (?:生成|请求|调用|获取)(?:回答|回复|响应|接口)?(?:失败|超时|出错).{0,60}
    )[\W_]*""",
    re.X | re.I | re.S,
)
_SPECIAL = re.compile(
    r"<[|｜][^\s|｜<>]{1,40}[|｜]>"
    r"|<(?:bos|eos|pad|unk|mask|start_of_turn|end_of_turn|start_of_image)>|\[/?INST\]|<</?SYS>>|\[(?:BOS|EOS|PAD|SEP|CLS|UNK)\]"
    r"|</s>\s*\Z|\A\s*<s>(?!.*</s>.*\S)|</s>\s*<s>",
    re.S,
)


@rule("PF101")
def context_differs(sides: Sides) -> Iterator[Seen]:
    """The sides part before the assistant's answer, so they answer different questions.

    A trainer takes the common beginning as the prompt and trains on what follows: on the user's words too.
    """
    for name, turns in both(sides):
        for index in range(sides.shared, len(turns)):
            if (role := turns[index]["role"]) in ("user", "system"):
                yield f"the sides differ before this {role} turn, or in it", sides.pointer(name, index)
                break
    if sides.shared == min(len(sides.chosen), len(sides.rejected)) and len(sides.chosen) != len(sides.rejected):
        short, long = sorted(("chosen", "rejected"), key=lambda name: len(getattr(sides, name)))
        yield f"all of {short} is the beginning of {long}: nothing is left to compare", f"/{short}"


@rule("PF102")
def not_answered(sides: Sides) -> Iterator[Seen]:
    """The last turn is not the assistant's: there is no answer to prefer or to avoid."""
    for name, turns in both(sides):
        if (role := turns[-1]["role"]) != "assistant":
            yield f"{name} ends with a {role} turn", sides.pointer(name, len(turns) - 1)


@rule("PF103")
def roles_out_of_order(sides: Sides) -> Iterator[Seen]:
    """Turns stand in an order that no chat has: many templates raise an error there, others print it as it is.

    A system message comes first; then user and assistant take turns, the user first; tool turns follow the assistant's.
    """
    for name, turns in both(sides):
        before = "start"
        for index, turn in enumerate(turns):
            role = turn["role"]
            if role not in _AFTER[before]:
                if name == "chosen" or index >= sides.shared:
                    where = "at the start" if before == "start" else f"after a {before} turn"
                    yield f"a {role} turn {where}", sides.pointer(name, index)
                break
            before = role


_AFTER = {
    "start": ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("assistant", "tool"),
}


@rule("PF104")
def identical(sides: Sides) -> Iterator[Seen]:
    """chosen and rejected are the same: nothing can be learned from the row, and it dilutes the metrics.

    A tie between scores, or a correction with nothing to correct, was made a pair.
    """
    if sides.chosen == sides.rejected:
        yield "chosen and rejected are the same", ""


@rule("PF105")
def nearly_identical(sides: Sides) -> Iterator[Seen]:
    """The answers differ only in spaces or in case: all that can be learned from the row is a habit of format."""
    if sides.chosen != sides.rejected:
        one, other = (answer(turns[sides.shared :]) for _, turns in both(sides))
        if "".join(one.split()).casefold() == "".join(other.split()).casefold() != "":
            yield "chosen and rejected differ only in spaces or in case", ""


@rule("PF106")
def empty_answer(sides: Sides) -> Iterator[Seen]:
    """An answer is empty or blank. As chosen it teaches silence; as rejected, nothing but to say something."""
    for name, turns in both(sides):
        for index in range(len(sides.prompt), len(turns)):
            if turns[index]["role"] == "assistant" and not turns[index]["content"].strip():
                yield "the answer is empty", sides.pointer(name, index) + "/content"


@rule("PF107")
def error_sentinel(sides: Sides) -> Iterator[Seen]:
    """An answer is the text of an error that some program stored in its place.

    Such as "Error: failed to generate response.". The model learns to say it, or that anything else is better.
    """
    for name, turns in both(sides):
        if turns[-1]["role"] == "assistant" and _SENTINEL.fullmatch(text := turns[-1]["content"][:400]):
            yield f"an error message as answer: {clip(text)}", sides.pointer(name, len(turns) - 1) + "/content"


@rule("PF108")
def special_token(sides: Sides) -> Iterator[Seen]:
    """A text holds a control token of a chat template, such as `<|im_end|>`.

    The tokenizer takes it for the real one: the turn ends there, or another begins, and the rest is trained as
    something else.
    """
    for name, turns in both(sides):
        for index in range(sides.shared if name == "rejected" else 0, len(turns)):
            text = turns[index]["content"]
            if ("<" in text or "[" in text) and (found := _SPECIAL.search(text)):
                yield (
                    f"the special token {clip(found.group().strip(), 40)} in a text",
                    sides.pointer(name, index) + "/content",
                )


@rule("PF109")
def prompt_beside(sides: Sides) -> Iterator[Seen]:
    """A `prompt` column contradicts the message lists beside it.

    A text crashes TRL's DPOTrainer. A list before whole conversations makes the model read the question twice.
    """
    if "prompt" not in sides.row:
        return
    if not sides.prompt:
        yield "a text as prompt beside lists of messages: drop the column, or make it a list", "/prompt"
    elif any(side[0]["role"] in ("system", "user") for side in (sides.row["chosen"], sides.row["rejected"])):
        yield "a prompt list beside whole conversations: keep the one or the other", "/prompt"
