"""Tokenizers for tests: the pocket model's, with other chat templates and special tokens, and one of a few words."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

from pairforge.resources import resource

STRIPS = (
    "{{ bos_token }}{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must take turns, the user first') }}{% endif %}{% set text = message.content | trim %}"
    "{{ '[INST] ' + text + ' [/INST]' if message.role == 'user' else ' ' + text + ' ' + eos_token }}{% endfor %}"
)
"""In the manner of Llama 2: contents are stripped, there is no system message, and roles take turns."""

BEGINS = (
    "{{ bos_token }}{% for message in messages %}{{ '## ' + message.role + '\\n' + message.content }}"
    "{{ eos_token + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '## assistant\\n' }}{% endif %}"
)
"""A beginning-of-text token, then headings."""


def pocket(chat_template: str | None = None, bos_token: str | None = None) -> Any:
    """The pocket model's tokenizer, with another chat template or beginning-of-text token."""
    tokenizer = copy.deepcopy(_pocket())
    if chat_template:
        tokenizer.chat_template = chat_template
    if bos_token:
        tokenizer.bos_token = bos_token
    return tokenizer


def words(*known: str) -> Any:
    """A tokenizer that knows these words, and says [UNK] to all others."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["[UNK]", "<s>", "</s>", "##", "user", "assistant", "system"]
    model = models.WordLevel({word: index for index, word in enumerate([*special, *known])}, unk_token="[UNK]")
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.chat_template = BEGINS
    return tokenizer


def of_case(folder: Path) -> tuple[Any, dict[str, Any]]:
    """The tokenizer and the settings that a case of PF4xx is looked at with: its setup.json, else pocket and 1024."""
    setup = json.loads((folder / "setup.json").read_text("utf-8")) if (folder / "setup.json").exists() else {}
    tokenizer = pocket(setup.get("chat_template"), setup.get("bos_token"))
    if "words" in setup:
        tokenizer = words(*setup["words"])
    return tokenizer, {name: setup[name] for name in ("max_length", "inserted") if name in setup}


@cache
def _pocket() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(resource("data", "pocket")))
