"""One pair as the trainer sees it, token by token: the X-ray."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from .console import Block
from .text import escaped, visible
from .tokenization import Rendered
from .types import SIDES, Finding

_SHADES = ("on grey15", "on grey27")
_EDGE = "│"


@dataclass
class XRay:
    """A pair in tokens. `spelt` gives the text of each id that occurs, `special` the ids of special tokens."""

    number: int
    id: str
    model: str
    rendered: Rendered
    spelt: Mapping[int, str]
    special: frozenset[int]
    findings: Sequence[Finding] = ()

    @classmethod
    def of(cls, tokenizer: Any, rendered: Rendered, **named: Any) -> XRay:
        """Return the X-ray of a row rendered with this tokenizer."""
        spelt = {}
        for token in {*rendered.asked, *rendered.whole["chosen"], *rendered.whole["rejected"]}:
            text = tokenizer.decode([token], skip_special_tokens=False, clean_up_tokenization_spaces=False)
            # A part of a character alone has no text: it is shown as the vocabulary writes it.
            spelt[token] = text if text and "\ufffd" not in text else str(tokenizer.convert_ids_to_tokens(token))
        return cls(rendered=rendered, spelt=spelt, special=frozenset(tokenizer.all_special_ids), **named)

    @property
    def parting(self) -> int | None:
        """Return the place of the first token where the sides part, from 0; None where they are the same."""
        sides = self.rendered.whole
        return None if sides["chosen"] == sides["rejected"] else self.rendered.parting

    def as_json(self) -> dict[str, Any]:
        """Return ids, texts and masks of what is kept of each side, and what `max_length` cuts off."""
        seen = self.rendered
        sides: dict[str, Any] = {
            side: {
                "ids": list(seen.kept(side)),
                "mask": seen.mask(side),
                "tokens": [self.spelt[token] for token in seen.kept(side)],
                "cut": list(seen.whole[side][len(seen.kept(side)) :]),
            }
            for side in SIDES
        }
        return {
            "row": self.number,
            "id": self.id,
            "model": self.model,
            "max_length": seen.limit,
            "dropped": seen.dropped,
            "context": seen.shared,
            "parting": self.parting,
            "left_out": list(seen.asked[seen.shared :]),
            **sides,
            "findings": [finding.as_json() for finding in self.findings],
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        plain, seen = console.no_color or console.color_system is None, self.rendered
        named = f"{visible(self.id)}  " * bool(self.id)
        title = f"pair {self.number}  {named}in tokens of {visible(self.model)}, max_length {seen.limit}"
        yield Text(title, style="bold")
        yield ""
        yield f"context, mask 0: {seen.shared} tokens that both sides begin with, given and not trained on"
        yield Block(self._flow(seen.context, plain), 2)
        if left := seen.asked[seen.shared :]:
            yield "end of the prompt that the trainer leaves out"
            yield Block(self._flow(left, plain), 2)
        yield "completions, mask 1: trained on"
        yield Block(self._table(), 2)
        for side in SIDES:
            lost = f", the last {cut} cut off" if (cut := seen.cut(side)) else ""
            yield f"{side}: {len(seen.whole[side])} tokens, {len(seen.completion(side))} in the completion{lost}"
        if self.parting is None:
            yield "the sides are the same"
        else:
            yield f"shared: {seen.parting} tokens, {seen.parting - seen.shared} of them in the completion"
        if seen.dropped:
            yield f"TRL drops the pair: its context alone fills {seen.limit} tokens"
        for finding in self.findings:
            yield Text(f"{finding.code} {finding.severity}: {visible(finding.message)}")

    def _flow(self, ids: Iterable[int], plain: bool) -> Text:
        """Return tokens as running text with visible edges: by shades, or in plain text by a line between them."""
        made = Text()
        for index, token in enumerate(ids):
            text = escaped(self.spelt[token])
            style = _SHADES[index % 2] + (" bold magenta" if token in self.special else "")
            made.append(text + _EDGE if plain else text, style=style)
            if text.endswith("\\n"):
                made.append("\n")
        made.rstrip()
        return made

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for name, side in (("at", "right"), ("chosen", "right"), ("", "left"), ("rejected", "right"), ("", "left")):
            table.add_column(name, justify=side, overflow="fold")  # type: ignore[arg-type]
        table.add_column("", overflow="fold")
        completions = zip_longest(*(self.rendered.completion(side) for side in SIDES))
        for at, pair in enumerate(completions, self.rendered.shared):
            cut = self.rendered.limit is not None and at >= self.rendered.limit
            same = self.parting is None or at < self.parting
            styles = ["dim strike"] * 2 if cut else ["dim"] * 2 if same else ["green", "red"]
            cells = [Text(str(at))]
            for token, style in zip(pair, styles, strict=True):
                text = "" if token is None else f'"{escaped(self.spelt[token])}"'
                cells += [Text("" if token is None else str(token), style=style), Text(text, style=style)]
            remarks = ["<- they part here"] * (at == self.parting) + ["cut"] * cut
            table.add_row(*cells, Text(", ".join(remarks), style="bold yellow"))
        return table
