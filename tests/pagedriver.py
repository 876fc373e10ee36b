"""A Chromium that opens the page, and the commands that serve it.

with chromium() as browser, Served("view", pairs, cwd=folder) as served:
    visit = Visit(browser, served.address)
    visit.page.keyboard.press("j")
    visit.close()                # fails where the page asked elsewhere, opened a dialog, or broke its own rules
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WATCH = "addEventListener('securitypolicyviolation', (event) => console.error('CSP', event.violatedDirective))"


def missing() -> str:
    """Name what is needed to drive a browser and is not here; empty where all is."""
    packages = [
        name
        for name in ("starlette", "uvicorn", "playwright", "axe_playwright_python")
        if not importlib.util.find_spec(name)
    ]
    if packages:
        return f"not installed: {', '.join(packages)}"
    return "" if browser_path() else "not installed: chromium (as root: apt-get install chromium)"


@cache
def browser_path() -> str:
    """Where a browser is that starts; on Ubuntu there are packages that only ask for a snap. Empty where none is."""
    found = [path for path in map(shutil.which, NAMES) if path]
    return next((path for path in found if not subprocess.run([path, "--version"], capture_output=True).returncode), "")


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a headless Chromium; its pages are closed with it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path(), args=[*FLAGS])
        yield browser
        browser.close()


class Served:
    """A command that serves the page, in a process of its own, until the block ends."""

    def __init__(self, *words: str | Path, cwd: Path, port: int | None = None) -> None:
        command = [sys.executable, "-m", "pairforge", *map(str, words), *(["--port", str(port)] if port else [])]
        self.process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr or ():
            said.append(line)
            if found := re.search(r"http://\S+", line):
                self.address = found[0]
                return
        raise AssertionError("".join(said))

    @property
    def port(self) -> int:
        return int(self.address.rstrip("/").rpartition(":")[2])

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


class Visit:
    """A page in a browser context of its own, and all that went wrong in it.

    Args:
        broken: the server will not always answer, which the browser logs as an error.
        within: the context of another visit, so that this is a second tab.
    """

    def __init__(
        self, browser: Any, address: str, *, broken: bool = False, within: Visit | None = None, **options: Any
    ) -> None:
        self.context = (
            within.context if within else browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        )
        self.context.set_default_timeout(60_000)
        self.own, self.broken = address.partition("?")[0].partition("#")[0], broken
        self.wrong: list[str] = []
        self.open(address)

    def open(self, address: str) -> None:
        """Open the address in a new tab."""
        self.page = self.context.new_page()
        self.page.add_init_script(WATCH)
        self.page.on("dialog", lambda dialog: self.wrong.append(f"dialog {dialog.message}"))
        self.page.on("popup", lambda _: self.wrong.append("popup"))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error {error}"))
        self.page.on(
            "request", lambda request: request.url.startswith(self.own) or self.wrong.append(f"request {request.url}")
        )
        self.page.on("console", self._logged)
        self.page.goto(address)

    def _logged(self, message: Any) -> None:
        if message.type in ("error", "warning") and not (self.broken and "Failed to load resource" in message.text):
            self.wrong.append(f"{message.type} {message.text}")

    def press(self, keys: str) -> None:
        """Press keys one after the other: "1 2 Escape"."""
        for key in keys.split():
            self.page.keyboard.press(key)

    def says(self, selector: str, text: str) -> None:
        """Wait until an element has this text in it."""
        self.page.locator(selector, has_text=text).first.wait_for()

    def texts(self, selector: str) -> list[str]:
        return [*self.page.locator(selector).all_text_contents()]

    def close(self) -> None:
        """Close the context. Raises AssertionError where something went wrong."""
        self.context.close()
        assert self.wrong == []
