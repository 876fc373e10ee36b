"""docs/checks.md, written from the rules: python -m pairforge.checks.document > docs/checks.md"""

from __future__ import annotations

import json
from typing import Any

from ..resources import resource
from . import RULES
from .rule import OF_ROWS

_FAMILIES = {
    "PF0": "PF0xx: is it a row of the right shape",
    "PF1": "PF1xx: is it a preference",
    "PF2": "PF2xx: do the rows make a dataset",
    "PF3": "PF3xx: what distinguishes chosen from rejected most cheaply",
    "PF4": "PF4xx: what will the trainer see",
    "PF5": "PF5xx: may it be published",
    "PF6": "PF6xx: answers with a label",
}
_HEAD = """\
# The checks

`pairforge validate` looks for PF0xx to PF2xx and PF5xx, with `--model` for PF4xx, and in answers with labels (KTO) for
PF6xx; `pairforge shortcuts` for PF3xx, and `validate` only with `--select PF3`, as warnings. Errors end with exit code
1, warnings only with `--strict`, infos never. `--select` and `--ignore` take codes and their beginnings (`PF1`).
`pairforge push` stops at what `validate` calls an error. This page is written from the checks themselves:
`python -m pairforge.checks.document > docs/checks.md`.

## In continuous integration

`--baseline OLD.json` compares with an earlier report of `validate --json` or `shortcuts --json` that was made with the
same options: where the share of rows of a check is higher, or a shortcut is stronger, a line says so, and
the exit code is 3. What is equal or better ends as without it.

```yaml
# .github/workflows/pairs.yml
on: pull_request
jobs:
  pairs:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: pip install pairforge
      - run: pairforge validate pairs.jsonl --format github --baseline validate.json
      - run: pairforge shortcuts pairs.jsonl --baseline shortcuts.json
```

To accept what there is now: `pairforge validate pairs.jsonl --json > validate.json`, and commit that file.
"""


_DELETES = {
    "PF001": "`fix`", "PF003": "`fix`", "PF004": "`fix`", "PF104": "`fix`, `balance`",
    "PF105": "`fix`, `balance`", "PF106": "`balance`", "PF107": "`balance`",
    "PF111": "`balance`, where one side is cut", "PF202": "`fix`", "PF203": "`balance`", "PF205": "`balance`",
}  # fmt: skip
"""What leaves out the rows in which a check finds something."""


def _precision() -> str:
    """Return how often the findings are right that refuse a file (errors) or leave rows out."""
    measured: dict[str, Any] = json.loads(resource("data", "measured", "precision.json").read_text("utf-8"))
    rows, checks = measured["rows"], measured["checks"]
    over = (*OF_ROWS, "dataset", "secrets")
    codes = [code for code, one in sorted(RULES.items()) if one.over in over]
    codes = [
        code for code in codes if code in _DELETES or (RULES[code].severity == "error" and not RULES[code].against)
    ]
    lines = [
        "\n## How often they are right\n",
        f"Measured on {measured['date']}, on {rows} pairs of public sets. All findings of the checks that end with",
        "exit code 1, or by which rows are left out, were read by eye.\n",
        *(f"- {file}" for file in measured["files"]),
        "",
        "| check | found | read | right | rows are left out by | |",
        "|---|--:|--:|--:|---|---|",
    ]
    for code in (code for code in codes if code in checks):
        found = checks[code]
        numbers = f"{found['found']} | {found['read']} | {found['right']}"
        lines.append(f"| {code} | {numbers} | {_DELETES.get(code, '-')} | {found['note']} |")
    none = [code for code in codes if code not in checks]
    lines.append(f"\nWithout a finding, right or wrong, in these {rows} pairs: {', '.join(none)}.\n")
    return "\n".join(lines)


def document() -> str:
    """Return the page, in Markdown."""
    parts = [_HEAD, _precision()]
    for prefix, title in _FAMILIES.items():
        parts.append(f"\n## {title}\n")
        for code, one in sorted(RULES.items()):
            if code.startswith(prefix):
                name = one.see.__name__.replace("_", " ")
                fix = f"\nTo fix it: `{one.fix.format(data='PAIRS')}`\n" if one.fix else ""
                parts.append(f"\n### {code} {name} ({one.severity})\n\n{one.why}\n{fix}")
    return "".join(parts)


if __name__ == "__main__":
    print(document(), end="")
