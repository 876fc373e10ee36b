"""Compare the speed of judges with what is possible.

    python benchmarks/judging.py                  # 10,000 answers by a reward model, 2,000 judgements by a server
    python benchmarks/judging.py --answers 1000

The reward model is a small one with random weights, made here. Beside `rm:` stands a plain loop: all conversations
through the tokenizer, sorted by length, in batches of the same size, each padded to its longest. It is measured before
and after; the ratio is of `rm:`'s answers per CPU second to the mean of both. `rm:` also stores each score.

The server takes 200 ms for an answer and as many at once as it is asked. With 32 at once, 2,000 judgements can't take
less than 12.5 s; the ratio is of the time that `llm:` takes to that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from records import machine

from pairforge.api.onpolicy import open_judge
from pairforge.options.judging import JudgeModelOptions
from pairforge.resources import resource
from pairforge.samplers.hardware import BatchSizer, threads
from pairforge.stages import judge_groups, sample
from pairforge.store import Store
from pairforge.types import AnswerGroup, Message, Prompt

DELAY, CONCURRENCY = 0.2, 32
WORDS = (
    "the",
    "a",
    "model",
    "answer",
    "question",
    "is",
    "was",
    "that",
    "says",
    "knows",
    "good",
    "more",
    "than",
    "seven",
)


def groups(answers: int, each: int = 4) -> list[AnswerGroup]:
    """Questions with answers of 5 to 60 words."""
    draw = random.Random(0)
    made = []
    for number in range(answers // each):
        texts = [" ".join(draw.choices(WORDS, k=draw.randint(5, 60))) + f" {index}" for index in range(each)]
        made.append(AnswerGroup(Prompt((Message(role="user", content=f"Question {number}?"),)), texts))
    return made


def reward_model(folder: Path) -> str:
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForSequenceClassification

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(resource("data", "pocket"))
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, num_labels=1, pad_token_id=tokenizer.pad_token_id, max_position_embeddings=512,
    )  # fmt: skip
    Qwen2ForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def plainly(model: Any, tokenizer: Any, asked: Sequence[AnswerGroup], pad: int) -> list[float]:
    """The scores by the plain loop, in order."""
    import torch

    turns = [
        [*group.prompt.messages, {"role": "assistant", "content": answer}]
        for group in asked
        for answer in group.answers
    ]
    rows = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=True)["input_ids"]
    order = sorted(range(len(rows)), key=lambda row: -len(rows[row]))
    sizer, scores = BatchSizer.of(model, None), [0.0] * len(rows)
    with torch.inference_mode(), threads(model):
        while order:
            count = sizer.rows_of(len(rows[order[0]]))
            batch, order = order[:count], order[count:]
            width = len(rows[batch[0]])
            ids = torch.tensor([rows[row] + [pad] * (width - len(rows[row])) for row in batch])
            mask = torch.tensor([[1] * len(rows[row]) + [0] * (width - len(rows[row])) for row in batch])
            logits = model(input_ids=ids, attention_mask=mask).logits[:, 0].tolist()
            for row, score in zip(batch, logits, strict=True):
                scores[row] = score
    return scores


def by_reward_model(answers: int) -> dict[str, Any]:
    """Answers per CPU second of the plain loop and of `rm:`, and how far their scores differ at most."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    asked = groups(answers)
    with tempfile.TemporaryDirectory() as folder:
        name = reward_model(Path(folder) / "model")
        model = AutoModelForSequenceClassification.from_pretrained(name).eval()
        tokenizer = AutoTokenizer.from_pretrained(name)
        judge = open_judge(f"rm:{name}")
        plainly(model, tokenizer, asked[:8], model.config.pad_token_id)  # loads and warms both
        judge_groups(asked[:8], judge, Store(Path(folder) / "warm"), _asks)
        seconds: dict[str, list[float]] = {"plain": [], "rm": []}
        for what in ("plain", "rm", "plain"):
            begun = time.process_time()
            if what == "plain":
                plain = plainly(model, tokenizer, asked, model.config.pad_token_id)
            else:
                judged = judge_groups(asked, judge, Store(Path(folder) / "out"), _asks)
            seconds[what].append(time.process_time() - begun)
    scores = [found[text] for group, found in zip(asked, judged, strict=True) for text in group.answers]
    apart = max(abs(one - other) for one, other in zip(scores, plain, strict=True))  # type: ignore[operator]
    speed = {what: round(len(plain) * len(took) / sum(took)) for what, took in seconds.items()}
    return {"answers": len(plain), "per_second": speed, "ratio": round(speed["rm"] / speed["plain"], 2), "apart": apart}


def _asks(*_: Any) -> Any:
    raise AssertionError("a reward model asks nobody")


class Slow(asyncio.Protocol):
    """A server that answers 7 to each request, after a while."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0):
            self.buffer = b""
            asyncio.get_running_loop().call_later(DELAY, self.reply)

    def reply(self) -> None:
        message = {"role": "assistant", "content": "7"}
        body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Slow, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def by_server(judgements: int) -> dict[str, Any]:
    """The seconds that `llm:` takes for so many judgements, two of each answer, and those of the processor."""
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        judge = open_judge("llm:slow", JudgeModelOptions(judge_base_url=url, judge_concurrency=CONCURRENCY))
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder))
            first, *asked = groups(judgements // 2 + 4)  # the first one loads and warms
            judge_groups([first], judge, store, lambda prompts, of: sample(prompts, of, 1, store))
            begun, busy = time.perf_counter(), time.process_time()
            found = judge_groups(asked, judge, store, lambda prompts, of: sample(prompts, of, 1, store))
            seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    finally:
        server.kill()
        server.communicate()
    assert all(score == 5.0 for scores in found for score in scores.values())
    ideal = judgements * DELAY / CONCURRENCY
    ratio = round(seconds / ideal, 2)
    return {
        "judgements": judgements,
        "seconds": round(seconds, 2),
        "cpu": round(busy, 2),
        "ideal": ideal,
        "ratio": ratio,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--judgements", type=int, default=2_000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve())
        return
    print(json.dumps({"server": by_server(given.judgements)}), flush=True)
    print(json.dumps({"reward_model": by_reward_model(given.answers), **machine()}))


if __name__ == "__main__":
    main()
