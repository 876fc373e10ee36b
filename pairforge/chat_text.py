"""Conversations written out as one text: by people, or by the chat template of a model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .conversation import ROLES
from .types import Message


@dataclass(frozen=True)
class Form:
    """One way to write a conversation as a text: `name` is for a reader.

    A text is of this form where `beginning` matches at its start. `marker` matches what begins a turn, its first group
    the speaker; `ends`: a turn may end with a token. `tokens`: it is made of the control tokens of a chat template.
    """

    name: str
    beginning: re.Pattern[str]
    marker: re.Pattern[str]
    ends: bool = True
    tokens: bool = True

    def turns(self, text: str) -> Iterator[Message]:
        """Yield the turns of a text of this form, one for each marker."""
        before, *parts = self.marker.split(text)
        system = before.strip().removeprefix("<s>").strip()
        if system and self is ALPACA:  # the preamble of the alpaca template
            yield Message(role="system", content=system)
        for speaker, said in zip(parts[::2], parts[1::2], strict=True):
            role = _SPEAKERS.get(speaker.lower()) or ROLES[speaker.lower()]
            yield Message(role=role, content=bare_answer(said) if self.ends else said)


_SPEAKERS = {"instruction": "user", "input": "user", "response": "assistant", "[inst]": "user", "[/inst]": "assistant"}
_NAMES = "system|developer|user|assistant|tool|prompter"
_ENDS = (
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "<end_of_turn>", "<eos>", "</s>",
    "<|eot|>", "<|return|>", "<|eom_id|>", "<extra_id_1>", "<｜end▁of▁sentence｜>",
)  # fmt: skip


_BEGIN = r"<\|begin_of_text\|>|<bos>|<s>|<｜begin▁of▁sentence｜>"


def _form(name: str, before: str, speaker: str, behind: str) -> Form:
    begins = re.compile(rf"\s*(?:(?:{_BEGIN})\s*)?{before}(?:{speaker}){behind}")
    return Form(name, begins, re.compile(rf"{before}({speaker}){behind}"))


ALPACA = Form(
    "### Instruction: ... ### Response:",
    # Lines that don't begin with #, then the instruction; the response behind it is looked for once.
    re.compile(r"(?=(?s:.*)\n[^\S\n]*### Response:)(?:(?![^\S\n]*#)[^\n]*\n)*[^\S\n]*### (?:Instruction|Input):"),
    re.compile(r"(?:\A|(?<=\n))### (Instruction|Input|Response):[ ]?"),
    tokens=False,
)
_LLAMA2 = Form("[INST] ... [/INST]", re.compile(r"\s*(?:<s>\s*)?\[INST\]"), re.compile(r"(\[/?INST\])"))
FORMS = (
    Form(
        "Human: ... Assistant: ...",
        re.compile(r"\s*(?:Human|Assistant):.*\n\nAssistant:", re.DOTALL),
        re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):[ ]?"),
        ends=False,
        tokens=False,
    ),
    Form(
        "### Human: ... ### Assistant: ...",
        re.compile(r"\s*### (?:Human|Assistant):"),
        re.compile(r"(?:(?<!\s)|(?<=: ))\s*### (Human|Assistant):[ ]?"),  # from where white space begins
        ends=False,
        tokens=False,
    ),
    _form("ChatML (<|im_start|>)", r"<\|im_start\|>", _NAMES, r"\n?"),
    _form("the template of Llama 3", r"<\|start_header_id\|>", f"{_NAMES}|ipython", r"<\|end_header_id\|>\s*"),
    _form("the template of Llama 4", r"<\|header_start\|>", f"{_NAMES}|ipython", r"<\|header_end\|>\s*"),
    _form("the template of gpt-oss", r"<\|start\|>", _NAMES, r"(?:<\|channel\|>\w+)?<\|message\|>"),
    _form("the template of DeepSeek", "<｜", "User|Assistant", "｜>"),
    _form("the template of Nemotron", "<extra_id_[01]>", "System|User|Assistant", r"\n"),
    _form("the template of Gemma", "<start_of_turn>", "user|model", r"\n?"),
    _form("<|user|> ... <|assistant|>", r"<\|", _NAMES, r"\|>\n?"),
    _LLAMA2,
    ALPACA,
)
"""How conversations are written out, in the order in which they are tried."""
_FIRST = re.compile(r"\s*(?:<|\[INST|#|Human:|Assistant:)")
_SYSTEM = re.compile(r"\s*<<SYS>>(.*?)<</SYS>>", re.DOTALL)


def form_of(text: str) -> Form | None:
    """Return the form in which a text holds a conversation; None where it is any other text."""
    if not _FIRST.match(text) and "### Response:" not in text:
        return None
    return next((form for form in FORMS if form.beginning.match(text)), None)


def transcript(text: str) -> list[Message] | None:
    r"""Return the turns of a text such as `\n\nHuman: ...\n\nAssistant: ...`, or one of the other `FORMS`.

    None where it is not a transcript: it begins with a turn, and in the first form an answer follows.
    """
    form = form_of(text)
    if form is None:
        return None
    turns = [turn for turn in form.turns(text) if turn["content"] or turn["role"] != "system"]
    if form is _LLAMA2:
        for turn in turns:
            turn["content"] = turn["content"].strip().removesuffix("<s>").strip().removesuffix("</s>").strip()
        for index, turn in enumerate(turns):
            if found := _SYSTEM.match(turn["content"]):
                asked = Message(role="user", content=turn["content"][found.end() :].strip())
                return [Message(role="system", content=found[1].strip()), asked, *turns[index + 1 :]]
        return turns
    return _merged(turns) if form is ALPACA else turns


def bare_answer(text: str) -> str:
    """Return an answer without the tokens that end a turn, for one whose prompt is written in a chat template."""
    text = text.strip()
    while end := next((end for end in _ENDS if text.endswith(end)), None):
        text = text.removesuffix(end).rstrip()
    return text


def _merged(turns: Sequence[Message]) -> list[Message]:
    """Return the turns, an `### Input:` joined to the instruction above it; one without words is left out."""
    made: list[Message] = []
    for turn in turns:
        if made and made[-1]["role"] == turn["role"] == "user":
            made[-1] = Message(role="user", content="\n".join(filter(None, (made[-1]["content"], turn["content"]))))
        else:
            made.append(turn)
    return made
