"""The same sampler with another decoding, which it has back afterwards."""

import pytest
from scripted import Scripted

from pairforge.errors import InputError
from pairforge.samplers.drawn import Drawn
from pairforge.samplers.replay import ReplaySampler
from pairforge.types import Message, Prompt, Sampler

PROMPT = Prompt((Message(role="user", content="Hi"),))


def test_asks_otherwise_and_gives_the_decoding_back() -> None:
    sampler = Scripted(lambda prompt, index, decoding: f"{decoding.temperature} {index}")
    drawn = Drawn(sampler, temperature=1.0)
    assert [answer for batch in drawn.sample([PROMPT], 2, set()) for answer in batch.values()] != []
    assert [decoding.temperature for _, decoding in sampler.asked] == [1.0, 1.0]
    assert sampler.decoding.temperature == 0.0


def test_is_known_by_the_settings_that_the_sampler_itself_would_have() -> None:
    drawn, itself = Drawn(Scripted(lambda *_: ""), temperature=0.5), Scripted(lambda *_: "")
    itself.decoding = drawn.decoding
    assert drawn.settings() == itself.settings()
    sampler: Sampler = drawn
    assert sampler.model == "scripted"


def test_gives_the_decoding_back_when_it_is_left_early() -> None:
    sampler = Scripted(lambda *_: "x")
    answers = Drawn(sampler, temperature=1.0).sample([PROMPT], 1, set())
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert sampler.decoding.temperature == 0.0


def test_a_file_of_answers_can_not_be_drawn_from() -> None:
    with pytest.raises(InputError, match="gives no others"):
        Drawn(ReplaySampler({}, "file"), temperature=1.0)
