"""Chat templates: whose is used, what it is told, and what it puts in by itself."""

from pathlib import Path

import pytest

from pairforge.errors import InputError
from pairforge.samplers.chat_template import ChatTemplate
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.model_loading import load_tokenizer
from pairforge.samplers.transformers import TransformersSampler
from pairforge.types import PLAIN_TEMPLATE, Message

USER = [Message(role="user", content="Hello")]
TURNS = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
DEFAULT = "{% if messages[0].role != 'system' %}[system] You are Bob.\n{% endif %}" + TURNS


def chat(template: str | None = None, **arguments: object) -> ChatTemplate:
    return ChatTemplate(load_tokenizer("pocket", None), template, arguments)


@pytest.mark.parametrize(
    ("template", "inserted"),
    [
        (DEFAULT, "You are Bob."),
        (TURNS, None),
        (PLAIN_TEMPLATE, None),
        # Always there, whether or not a system message follows.
        (
            "[system] Today: Monday.\n{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}[user]",
            None,
        ),
        # The system message is part of the user's turn.
        (
            "{% if messages[0].role == 'system' %}{{ messages[0].content }}\n\n{% endif %}{{ messages[-1].content }}",
            None,
        ),
        ("{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + TURNS, None),
        ("{{ messages[-1].content }}", None),
    ],
)
def test_the_system_message_of_a_template_is_found(template: str, inserted: str | None) -> None:
    assert chat(template).inserted_system() == inserted


def test_a_template_of_the_users_replaces_the_models() -> None:
    assert chat(TURNS).render(USER) == "[user] Hello\n"
    assert not chat(TURNS).plain and not chat().plain


def test_arguments_reach_the_template() -> None:
    thinking = "{% if enable_thinking is defined and not enable_thinking %}<no>{% endif %}" + TURNS
    assert chat(thinking).render(USER) == "[user] Hello\n"
    assert chat(thinking, enable_thinking=False).render(USER) == "<no>[user] Hello\n"
    with pytest.raises(InputError, match="tokenize"):
        chat(thinking, tokenize=True)


def test_template_and_arguments_are_part_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "chat.jinja"
    file.write_text(TURNS)
    plain = TransformersSampler().settings()
    own = TransformersSampler(chat_template=str(file)).settings()
    told = TransformersSampler(chat_template_kwargs={"enable_thinking": False}).settings()
    assert own != plain and told == {**plain, "chat_template_kwargs": {"enable_thinking": False}}
    file.write_text(DEFAULT)
    assert TransformersSampler(chat_template=str(file)).settings() not in (own, plain)
    sampler = TransformersSampler(decoding=Decoding(max_new_tokens=4), chat_template=str(file))
    assert sampler.inserted_system() == "You are Bob."


def test_a_template_that_cannot_be_read_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--chat-template"):
        TransformersSampler(chat_template=str(tmp_path / "none.jinja")).settings()
    with pytest.raises(InputError, match="line 2") as caught:
        chat("{% for m in messages %}\n{% endfr %}")
    assert "\n" not in str(caught.value)
