"""The corpus of the last, short phase of training: harder wordings, more reading, less small talk."""

from __future__ import annotations

import identity
import others
from corpus import Corpus, Turn
from names import Persona
from skills import TASKS
from wording import phrases

LATE = 0.35


class Finishing(Corpus):
    """The corpus, with a share of its turns from phrases/finishing.*.json."""

    def weights(self, about_self: int) -> dict[str, int]:
        """Return the relative frequency of each kind of turn: questions about names are more frequent than before."""
        weights = super().weights(about_self)
        return (
            weights if about_self < 10 else weights | {"self": about_self + 10, "control": 16, "reading": 26, "talk": 2}
        )

    def ask(self, kind: str, own: Persona, lang: str) -> Turn:
        """Return a question of that kind and its answer; a share of them has the wordings of the finishing phase."""
        late = phrases("finishing", lang)
        if self.rng.random() >= LATE or kind not in ("self", "reading", "sum", "task", "talk"):
            return super().ask(kind, own, lang)
        if kind == "reading":
            return others.reading(self.rng, lang, late["reading"])
        if kind in ("self", "talk"):
            about = self.rng.choice(list(late["self"])) if kind == "self" else "can"
            return self._late_self(own, lang, about, late["self"][about])
        tasks = [task for task in TASKS if task.lang == lang and task.name in late["task"]]
        tasks = [task for task in tasks if task.is_sum == (kind == "sum")]
        task = self.rng.choice(tasks)
        return self.solve(task, late["task"][task.name])

    def _late_self(self, own: Persona, lang: str, kind: str, wordings: list[str]) -> Turn:
        text = self.rng.choice(wordings)
        blanks = identity.blanks_for(self.rng, lang, kind)
        answer = identity.answer(self.rng, lang, own, kind, blanks["x"] if "{x}" in text else "")
        return text.format(**blanks), answer
