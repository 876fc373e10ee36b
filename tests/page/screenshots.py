"""The pictures of docs/page.md: python -m tests.page.screenshots RUN JUDGED ROW

RUN is a run on which a model was trained, JUDGED one whose answers people are asked to judge. ROW is shown of both.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from pagedriver import Served, Visit, chromium  # noqa: E402

COLOURS = 256
WIDE, PHONE = {"width": 1280, "height": 760}, {"width": 360, "height": 640}


def take(browser: Any, viewed: str, judged: str, folder: Path, row: str = "0") -> list[Path]:
    """Take a picture of each part of the page and return their paths. `viewed` and `judged` are addresses."""
    made = []
    for name, address, wait, keys, options in (
        ("row", f"{viewed}#/row/{row}", ".side", "", {"color_scheme": "light"}),
        ("report", f"{viewed}#/verdict", "#pane h2", "", {"color_scheme": "dark"}),
        ("training", f"{viewed}#/training", "#pane h2", "", {"color_scheme": "light"}),
        ("judge", f"{judged}?who=ann", ".card", "1 d", {"color_scheme": "light"}),
        ("phone", f"{judged}?who=ann", ".card", "", {"color_scheme": "dark", "viewport": PHONE}),
    ):
        visit = Visit(browser, address, **{"viewport": WIDE, **options})
        visit.page.locator(wait).first.wait_for()
        if address.startswith(viewed):
            visit.page.locator("#rows .line a").first.wait_for()
            visit.page.locator("nav .hint").wait_for(state="detached")
        while name == "judge" and visit.page.locator(".card").count() == 2:
            visit.press("s")  # until there are more than two answers
        visit.press(keys)
        visit.page.mouse.move(0, 0)
        picture = Image.open(BytesIO(visit.page.screenshot())).convert("RGB").quantize(COLOURS)
        made.append(folder / f"page-{name}.png")
        picture.save(made[-1], optimize=True)
        visit.close()
    return made


def main(run: str, other: str, row: str) -> None:
    judge = ("judge", other, "--judge", "human")
    with chromium() as browser, Served("view", run, other, cwd=Path()) as viewed, Served(*judge, cwd=Path()) as judged:
        for path in take(browser, viewed.address, judged.address, ROOT / "docs" / "figures", row):
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
