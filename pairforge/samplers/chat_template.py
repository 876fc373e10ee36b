"""Chat templates: prompts to the tokens that a chat model was trained on, and tokens to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..text import common_prefix, error_line, lone_surrogate, why_unreadable
from ..thoughts import THOUGHT_KEYS, begun_by, marks_in, split
from ..types import PLAIN_TEMPLATE, Message, Prompt, Skip, ThoughtForm

_RESERVED = {"conversation", "chat_template", "tokenize", "add_generation_prompt"}
_USER, _SYSTEM, _THOUGHT, _ANSWER = "a1b2user", "c3d4system", "e5f6thought", "g7h8answer"  # they occur in no template


def read_template(path: str) -> str:
    """Return the Jinja template of a file.

    Raises InputError where it can't be read, and where it is empty: the model's own would be used in its place.
    """
    file = Path(path)
    try:
        if file.exists() and not file.is_dir() and not file.is_file():
            raise InputError(f"--chat-template {path} is a device or a pipe", fix="give a Jinja file in UTF-8")
        template = file.read_text("utf-8")
    except FileNotFoundError:
        raise InputError(f"--chat-template {path}: no such file", fix="give the path of a Jinja file") from None
    except (OSError, UnicodeDecodeError) as error:
        what = f"--chat-template {path} can't be read: {why_unreadable(error)}"
        raise InputError(what, fix="give a Jinja file in UTF-8") from error
    if not template.strip():
        raise InputError(f"--chat-template {path} is empty", fix="give a Jinja file, or leave it out")
    return template


def not_in_utf8(messages: Sequence[Message]) -> Skip | None:
    """Return why the messages can't be sent to a model: a lone surrogate, which UTF-8 can't hold."""
    lone = lone_surrogate("".join(message["content"] for message in messages))
    return Skip("encoding", f"the prompt holds a lone surrogate, U+{ord(lone):04X}") if lone else None


class ChatTemplate:
    """A tokenizer with its chat template, which `template` (Jinja) overrides and which gets the `arguments`.

    `plain` is True if the model has no template, so that `types.PLAIN_TEMPLATE` is used. Raises InputError for a
    template that is not valid Jinja, and for reserved arguments.
    """

    def __init__(self, tokenizer: Any, template: str | None = None, arguments: Mapping[str, Any] | None = None) -> None:
        from jinja2 import TemplateError, TemplateSyntaxError

        self.tokenizer = tokenizer
        self.arguments = dict(arguments or {})
        if reserved := _RESERVED & self.arguments.keys():
            raise InputError(f"--chat-template-kwargs {min(reserved)} is set by pairforge", fix="leave it out")
        self.plain = not (template or tokenizer.chat_template)
        if template or self.plain:
            tokenizer.chat_template = template or PLAIN_TEMPLATE
        try:  # A template that can't be parsed would fail on every prompt.
            self._apply([Message(role="user", content=_USER)])
        except TemplateSyntaxError as error:
            raise InputError(
                f"the chat template can't be parsed: line {error.lineno}, {error_line(error)}",
                fix="give another with --chat-template FILE",
            ) from error
        except (TemplateError, TypeError, ValueError):
            pass  # It may accept prompts of another shape.

    def encode(self, prompt: Prompt, answer: str | None = None) -> list[int] | Skip:
        """Return the prompt's tokens up to where the assistant is to answer, or with an answer up to its end.

        Where the prompt ends with the assistant's turn, the answer is to go on from that. A Skip says why the prompt
        can't be asked.
        """
        answered = [] if answer is None else [Message(role="assistant", content=answer)]
        text = self.render([*prompt.messages, *answered])
        if not isinstance(text, Skip) and answer is None and prompt.begun:
            text = self._begun(prompt)
        if isinstance(text, Skip):
            return text
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        return ids or Skip("template", "the template makes an empty text of the prompt")

    def _begun(self, prompt: Prompt) -> str | Skip:
        """Return the text of a prompt with the beginning of its answer, which the template doesn't end."""
        asked = self.render(prompt.messages[:-1])
        if isinstance(asked, str) and begun_by(asked):
            return Skip("template", "the chat template begins a thought, where the answer should begin")
        return asked if isinstance(asked, Skip) else asked + prompt.begun

    def render(self, messages: Sequence[Message]) -> str | Skip:
        """Return the messages as text. Special tokens in contents are refused, so that none can forge a turn."""
        from jinja2 import TemplateError

        if problem := not_in_utf8(messages):
            return problem
        for token in self.tokenizer.all_special_tokens:
            if any(token in message["content"] for message in messages):
                return Skip("special_tokens", f"the prompt holds {token}")
        try:
            return self._apply(messages)
        except (TemplateError, TypeError, ValueError) as error:
            return Skip("template", error_line(error))

    def takes_system(self) -> bool:
        """Return whether the template holds a system message: that of Gemma 2 raises on one, others drop it."""
        text = self.render([Message(role="system", content=_SYSTEM), Message(role="user", content=_USER)])
        return isinstance(text, str) and _SYSTEM in text

    def thought_form(self) -> ThoughtForm:
        """Return in which form the template writes a thought before the last answer, found by trying."""
        template = str(self.tokenizer.chat_template)
        begin, end = marks_in("\n".join([template, *self.tokenizer.get_added_vocab()]))
        # transformers gives some keys to every template: first those that the template names itself.
        keys = sorted(THOUGHT_KEYS, key=lambda key: key not in template)
        forms = (*map(ThoughtForm, keys), ThoughtForm("content", begin, end))
        thinking = Message(role="assistant", content=_ANSWER, reasoning_content=_THOUGHT)
        form = next((form for form in forms if _THOUGHT in self.answered(form.of(thinking))), ThoughtForm(""))
        return replace(form, empty=self._empty_thought())

    def _empty_thought(self) -> str:
        """Return what the template writes of a thought before an answer without one: that of Qwen 3 an empty block."""
        user = Message(role="user", content=_USER)
        asked, whole = self.render([user]), self.answered(Message(role="assistant", content=_ANSWER))
        shared = common_prefix(asked, whole) if isinstance(asked, str) else 0
        before = whole.partition(_ANSWER)[0]
        begun = begun_by(before[:shared])
        before = before[before.rindex(begun) if begun else shared :]
        found = split(before)
        return before.strip() if found.start and found.whole and not (found.thought or found.frame) else ""

    def answered(self, answer: Message) -> str:
        """Return a question with an answer as the template writes them; empty where it can't."""
        from jinja2 import TemplateError

        try:
            return self._apply([Message(role="user", content=_USER), answer])
        except (TemplateError, TypeError, ValueError):
            return ""

    def inserted_system(self) -> str | None:
        """Return the system message that the template inserts where a conversation has none of its own."""
        user = Message(role="user", content=_USER)
        bare, full = self.render([user]), self.render([Message(role="system", content=_SYSTEM), user])
        if isinstance(bare, Skip) or isinstance(full, Skip) or full.count(_SYSTEM) != 1:
            return None
        before, _, after = full.partition(_SYSTEM)
        if not (bare.startswith(before) and bare.endswith(after) and len(bare) >= len(before) + len(after)):
            return None
        return bare[len(before) : len(bare) - len(after)].strip() or None

    def _apply(self, messages: Sequence[Message]) -> str:
        text: str = self.tokenizer.apply_chat_template(
            list(messages),
            tokenize=False,
            add_generation_prompt=messages[-1]["role"] != "assistant",
            **self.arguments,
        )
        return text
