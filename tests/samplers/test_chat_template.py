"""Chat templates: whose is used, what it is told, and what it puts in by itself."""

from pathlib import Path

import pytest

from pairforge.errors import InputError
from pairforge.samplers.chat_template import ChatTemplate
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.model_loading import load_tokenizer
from pairforge.samplers.transformers import TransformersSampler
from pairforge.types import PLAIN_TEMPLATE, Message, Prompt, Skip, ThoughtForm

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


def test_an_answer_that_is_begun_is_not_ended() -> None:
    asked = chat(TURNS + "{% if add_generation_prompt %}[assistant] {% endif %}")
    begun = Prompt((*USER, Message(role="assistant", content="I'm Bob,")))
    ids = asked.encode(begun)
    assert isinstance(ids, list) and asked.tokenizer.decode(ids) == "[user] Hello\n[assistant] I'm Bob,"
    thinking = chat(TURNS + "{% if add_generation_prompt %}[assistant] <think>\n{% endif %}").encode(begun)
    assert isinstance(thinking, Skip) and thinking.reason == "template" and "thought" in thinking.detail
    end = asked.tokenizer.eos_token
    forged = asked.encode(Prompt((*USER, Message(role="assistant", content=f"I'm Bob,{end}"))))
    assert isinstance(forged, Skip) and forged.reason == "special_tokens"


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


QWEN3 = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}<think>\n"
    "{{ m.reasoning_content or '' }}\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
R1 = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"
)
OPENS = QWEN3.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")


@pytest.mark.parametrize(
    ("template", "form"),
    [
        (QWEN3, ThoughtForm("reasoning_content", empty="<think>\n\n</think>")),
        (OPENS, ThoughtForm("reasoning_content", empty="<think>\n\n</think>")),
        (QWEN3.replace("reasoning_content", "thinking"), ThoughtForm("thinking", empty="<think>\n\n</think>")),
        (R1, ThoughtForm("")),
        (TURNS, ThoughtForm("content", "<think>\n", "\n</think>\n\n")),
        (TURNS + "{# [THINK] #}", ThoughtForm("content", "[THINK]", "[/THINK]")),
    ],
)
def test_it_is_tried_where_a_template_writes_a_thought(template: str, form: ThoughtForm) -> None:
    assert chat(template).thought_form() == form


@pytest.mark.parametrize(
    ("template", "takes"),
    [
        (TURNS, True),
        ("{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + TURNS, False),
        ("{{ messages[-1].content }}", False),
    ],
)
def test_it_is_tried_whether_a_template_holds_a_system_message(template: str, takes: bool) -> None:
    assert chat(template).takes_system() is takes
