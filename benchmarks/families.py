"""Make the table of docs/models.md: what the chat templates of model families do, and that tokens are those of TRL.

    python benchmarks/families.py                        # the templates that are installed with TRL
    python benchmarks/families.py FOLDER [FOLDER ...]    # those and other folders of *.jinja

Each template is tried on a small tokenizer with the special tokens that the template names: no model is loaded.
"""

from __future__ import annotations

import copy
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pairforge.markdown import code_span
from pairforge.resources import resource
from pairforge.samplers.chat_template import ChatTemplate
from pairforge.thoughts import begun_by, marks_in
from pairforge.tokenization import Rendered, render
from pairforge.types import SIDES, Message, Pair, Prompt

_SPECIAL = re.compile(
    r"<\|[^|>{}\s'\"]{1,40}\|?>|<[a-z_]{2,20}\|>|<｜[^｜{}]{1,40}｜>|\[/?[A-Z_]{2,20}\]|<(?:start|end)_of_turn>"
    r"|<(?:bos|eos|pad)>|<[A-Z]+_TOKEN>"
)
_DATE = re.compile(r"\d{1,2} [A-Z][a-z]+ 20\d\d|[A-Z][a-z]+ \d{1,2}, 20\d\d|20\d\d-\d\d-\d\d")
_LIMIT = 8192  # tokens: some templates write long instructions
_SYSTEM, _QUESTION, _ANSWER = "You speak like a pirate.", "Who are you?", "I am Athene."


@cache
def _plain_tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(resource("data", "pocket")))


def tokenizer_for(template: str) -> Any:
    """Return the tokenizer of pocket with the chat template, and with all special tokens that it names."""
    tokenizer = copy.deepcopy(_plain_tokenizer())
    tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    found = sorted({*_SPECIAL.findall(template)} - {*tokenizer.all_special_tokens})
    tokenizer.add_tokens(found, special_tokens=True)
    tokenizer.chat_template = template
    return tokenizer


def rows_for(chat: ChatTemplate) -> list[Mapping[str, Any]]:
    """Return pairs of several shapes: one turn, a system message, two turns, and thoughts in the template's form."""
    user, answer = Message(role="user", content=_QUESTION), Message(role="assistant", content="Hello!")
    contexts: list[tuple[Message, ...]] = [
        (user,),
        (Message(role="system", content=_SYSTEM), user),
        (user, answer, user),
    ]
    columns = {"method": "correct", "model": "m", "judge": "rename", "chosen_score": 1.0, "rejected_score": 0.0}
    pairs = [Pair.of(Prompt(context), _ANSWER, "I am Llama.", **columns) for context in contexts]
    thinking = Pair.of(Prompt((user,)), _ANSWER, "I am Llama.", ("Athene.", "Who?"), **columns)
    return [pair.row() for pair in (*pairs, chat.thought_form().pair(thinking))]


def same_as_trl(tokenizer: Any, rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return how many of the rows the template renders, and how many of those have the tokens and masks of TRL."""
    from datasets import disable_progress_bars
    from trl import DPOTrainer
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    from trainers.data import trl_dataset

    disable_progress_bars()
    arguments = SimpleNamespace(dataset_num_proc=None, max_length=_LIMIT, truncation_mode="keep_start")
    trainer: Any = SimpleNamespace(_tokenizer=tokenizer)
    rendered = zip(rows, render(tokenizer, rows, _LIMIT), strict=True)
    ours = [(row, one) for row, one in rendered if isinstance(one, Rendered)]
    data = trl_dataset([row for row, _ in ours])
    theirs = list(DPOTrainer._prepare_dataset(trainer, data, tokenizer, arguments, "train"))
    batch = DataCollatorForPreference(pad_token_id=0, max_length=_LIMIT)(theirs)
    lengths = batch["attention_mask"].sum(1).tolist()
    ids, masks = (
        [line[:length] for line, length in zip(batch[name].tolist(), lengths, strict=True)]
        for name in ("input_ids", "completion_mask")
    )
    found = list(zip(ids, masks, strict=True))
    expected = [([*one.kept(side)], one.mask(side)) for side in SIDES for _, one in ours]
    equal = [mine == other for mine, other in zip(expected, found, strict=True)]
    return len(ours), sum(map(all, zip(equal[: len(ours)], equal[len(ours) :], strict=True)))


def described(template: str) -> list[str]:
    """Return the cells of a template's row."""
    chat = ChatTemplate(tokenizer_for(template))
    user = Message(role="user", content=_QUESTION)
    asked = chat.render([user])
    if not isinstance(asked, str):
        return ["", "", "", "", "refuses a plain question, e.g. as it needs tools: not tried"]
    if not _end(chat):
        return ["", "", "", "", "texts as typed parts only: not tried"]
    inserted, form = chat.inserted_system(), chat.thought_form()
    system = "taken" if chat.takes_system() else "refused or left out"
    system += f"; without one: {code_span(inserted[:40], cell=True)}" if inserted else ""
    now = time.strftime("%Y") if "strftime_now" in template else ""
    dated = _DATE.search(asked)
    date = "today's" if now and now in asked else f"fixed: {dated[0]}" if dated else ""
    rendered, same = same_as_trl(chat.tokenizer, rows_for(chat))
    return [system, date, _thoughts(template, asked, form), _end(chat), f"{same} of {rendered}"]


def _thoughts(template: str, asked: str, form: Any) -> str:
    begun = begun_by(asked)
    if not (begun or form.empty or marks_in(template)[0].strip() in template or form.key not in ("", "content")):
        return ""
    kept = {"": "left out", "content": "in the text"}.get(form.key) or code_span(form.key, cell=True)
    said = [kept, f"the prompt ends with {code_span(begun, cell=True)}" if begun else ""]
    return "; ".join(filter(None, [*said, f"without one: {code_span(form.empty, cell=True)}" if form.empty else ""]))


def _end(chat: ChatTemplate) -> str:
    """Return what the template writes after an answer, "nothing", or no text where it left the answer out."""
    _, answer, after = chat.answered(Message(role="assistant", content=_ANSWER)).partition(_ANSWER)
    return code_span(after, cell=True) if after else "nothing" if answer else ""


def table(folders: Sequence[Path]) -> Iterator[str]:
    """Yield the lines of the table; templates that do the same stand in one row."""
    yield "| chat template | system message | date | thought | after an answer | as in TRL |"
    yield "|---|---|---|---|---|---|"
    alike: dict[tuple[str, ...], list[str]] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.jinja")):
            if not file.stem.endswith("_training"):
                alike.setdefault(tuple(described(file.read_text("utf-8"))), []).append(file.stem)
    for cells, names in sorted(alike.items(), key=lambda item: item[1]):
        yield f"| {', '.join(names)} | {' | '.join(cells)} |"


def trl_templates() -> Path:
    """Return the folder of the templates that are installed with TRL."""
    import trl

    return Path(trl.__file__).parent / "chat_templates"


if __name__ == "__main__":
    print("\n".join(table([trl_templates(), *map(Path, sys.argv[1:])])))
