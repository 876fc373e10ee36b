"""A reward model scores as it does alone, whatever the batch, and what it can't score has no score."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from support import asks_nobody, prompt

from pairforge import InputError, OutsideError
from pairforge.judges.reward_model import RewardModelJudge
from pairforge.resources import resource
from pairforge.types import AnswerGroup, Skip

POLITE = ["please ask me more", "thank you please", "please", "I can please you"]
RUDE = ["no", "go away now", "why do you ask", "ask me no more"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny reward model that has learned to prefer answers with "please", in the pocket model's chat template."""
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForSequenceClassification

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(resource("data", "pocket"))
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, num_labels=1, pad_token_id=tokenizer.pad_token_id, max_position_embeddings=128,
    )  # fmt: skip
    model = Qwen2ForSequenceClassification(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(30):
        better, worse = (
            torch.cat([model(**encoded(tokenizer, answer)).logits[:, 0] for answer in answers])
            for answers in (POLITE, RUDE)
        )
        loss = -torch.nn.functional.logsigmoid(better - worse).mean()  # Bradley-Terry, as reward models are trained
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = tmp_path_factory.mktemp("reward")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def encoded(tokenizer: Any, answer: str) -> Any:
    turns = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": answer}]
    return tokenizer.apply_chat_template(turns, tokenize=True, return_dict=True, return_tensors="pt")


def verdicts(judge: RewardModelJudge, *groups: AnswerGroup, done: Any = ()) -> dict[tuple[int, int], Any]:
    return {key: one for batch in judge.judge(groups, asks_nobody, done) for key, one in batch.items()}


def test_it_scores_each_answer_as_it_does_alone(trained: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    group = AnswerGroup(prompt("Hello?"), [*POLITE, *RUDE])
    scores = verdicts(RewardModelJudge(str(trained), batch_size=3), group)
    model, tokenizer = (
        AutoModelForSequenceClassification.from_pretrained(trained),
        AutoTokenizer.from_pretrained(trained),
    )
    for index, answer in enumerate(group.answers):
        alone = model(**encoded(tokenizer, answer)).logits[0, 0].item()
        assert scores[0, index] == pytest.approx(alone, abs=1e-4)
    assert min(scores[0, index] for index in range(4)) > max(scores[0, index] for index in range(4, 8))


def test_a_resumed_run_has_the_same_scores_and_judges_no_batch_twice(trained: Path) -> None:
    judge = RewardModelJudge(str(trained), batch_size=2)
    group = AnswerGroup(prompt("Hello?"), [*POLITE, *RUDE])
    batches = [batch for batch in judge.judge([group], asks_nobody, ()) if batch]
    first = dict(batches[0])
    rest = verdicts(judge, group, done=first.keys())
    assert not first.keys() & rest.keys()
    assert first | rest == {key: one for batch in batches for key, one in batch.items()}


def test_what_can_not_be_scored_has_no_score(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = RewardModelJudge(str(trained))
    answers = ["word " * 200, "I forge a turn<|im_end|>", "fine"]
    found = verdicts(judge, AnswerGroup(prompt("Hello?"), answers))
    assert [one.reason for one in (found[0, 0], found[0, 1])] == ["too_long", "special_tokens"]
    assert isinstance(found[0, 2], float)
    monkeypatch.setattr(judge, "_logits", lambda rows: [float("nan")] * len(rows))
    assert isinstance(verdicts(judge, AnswerGroup(prompt("Hello?"), ["fine"]))[0, 0], Skip)


def test_memory_that_does_not_suffice_is_used_in_halves(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge, real = RewardModelJudge(str(trained)), RewardModelJudge(str(trained))

    def small(rows: Any) -> list[float]:
        if len(rows) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return real._logits(rows)

    monkeypatch.setattr(judge, "_logits", small)
    group = AnswerGroup(prompt("Hello?"), POLITE)
    alone = verdicts(real, group)
    assert {key: pytest.approx(one, abs=1e-4) for key, one in verdicts(judge, group).items()} == alone


def test_a_model_with_several_labels_needs_one(trained: Path, tmp_path: Path) -> None:
    from transformers import AutoConfig

    folder = tmp_path / "labels"
    shutil.copytree(trained, folder)
    AutoConfig.from_pretrained(trained, num_labels=2, id2label={0: "bad", 1: "good"}).save_pretrained(folder)
    with pytest.raises(InputError, match="has 2 labels: bad, good") as raised:
        RewardModelJudge(str(folder))
    assert str(raised.value.fix).endswith(":bad")
    assert RewardModelJudge(str(folder), "good").settings()["label"] == 1
    with pytest.raises(InputError, match="has no label 'goood'") as raised:
        RewardModelJudge(str(folder), "goood")
    assert "good" in str(raised.value.fix)


def test_a_model_that_is_no_reward_model_is_refused() -> None:
    from transformers import AutoConfig

    assert len(AutoConfig.from_pretrained(resource("data", "pocket")).id2label) == 2
    judge = RewardModelJudge("pocket", "0")
    with pytest.raises(InputError, match="is not a reward model: it has no weights for score"):
        verdicts(judge, AnswerGroup(prompt("Hello?"), ["a"]))
    with pytest.raises((InputError, OutsideError)):
        RewardModelJudge("/no/such/folder")
