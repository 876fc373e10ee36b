"""What chat templates and reasoning models write around a text: control tokens, and the tags of a block of thought."""

from __future__ import annotations

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

THOUGHT = r"(?:seed:)?(?:think|thinking|thought|thoughts|reason|reasoning|reflection|analysis|scratchpad)"
"""The names of the XML tags that enclose a block of thought; in any case."""
THOUGHT_ENDS = {
    rf"<(?P<tag>{THOUGHT})>": r"</{tag}>",
    r"\[(?P<square>THINK)\]": r"\[/THINK\]",
    r"<\|(?P<bar>begin_of_thought)\|>": r"<\|end_of_thought\|>",
    r"<\|(?P<command>START_THINKING)\|>": r"<\|END_THINKING\|>",
    r"(?P<kimi>◁think▷)": r"◁/think▷",
}
"""How a block of thought begins, with how it then ends."""
