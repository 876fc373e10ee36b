"""PF5xx: secrets that must not be published with a dataset: tokens, keys and private key blocks in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..types import Finding
from .rule import Observer, Seen, rule, rules_over
from .schema import leaves

# Shapes with a fixed prefix or frame only: a text rarely holds one by chance.
_KINDS = {
    "a Hugging Face token": r"hf_[A-Za-z0-9]{30,}",
    "an API key (sk-...)": r"sk-(?=[\w-]*\d)[A-Za-z0-9_-]{20,}",
    "an AWS access key": r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    "an AWS secret key": r"(?i:aws_?secret_?access_?key)\W{1,4}[A-Za-z0-9/+=]{40}",
    "a GitHub token": r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{50,}",
    "a GitLab token": r"glpat-[\w-]{20,}",
    "a Google API key": r"AIza[\w-]{35}",
    "a Slack token": r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    "a Stripe key": r"[rs]k_live_[A-Za-z0-9]{20,}",
    "a PyPI token": r"pypi-[\w-]{50,}",
    "an npm token": r"npm_[A-Za-z0-9]{36}",
    "a JSON web token": r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----",
}
_PATTERN = re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(f"({shape})" for shape in _KINDS.values()) + ")", re.ASCII)


@rule("PF501", over="secrets")
def secret(value: Any) -> Iterator[Seen]:
    """A text holds what looks like a token, a key or a private key block: whoever downloads the dataset can use it.

    `push` looks for secrets in the rows and in the settings of the run, `validate` only with `--select PF5`. A finding
    names the kind and the place, never the secret.
    """
    for path, text in leaves(value):
        if isinstance(text, str) and (found := _PATTERN.search(text)):
            yield f"holds what looks like {[*_KINDS][(found.lastindex or 1) - 1]}", path


class SecretChecker(Observer):
    """Checks every row, a pair or not."""

    def see(self, index: int | None, row: Any) -> list[Finding]:
        """Return the secrets in a row (None: in what belongs to the dataset as a whole)."""
        return [finding for one in rules_over("secrets") for finding in one.findings(index, row)]
