"""Scores answers by a user's own reward function, in the form that TRL's GRPOTrainer takes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import linecache
import math
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from ..errors import InputError
from ..types import Prompt, Skip, digest


class FunctionJudge:
    """`f(prompts, completions, **columns) -> list[float | None]`: higher is better, None means not applicable.

    `prompts` is a list of message lists, `completions` a list of `[{"role": "assistant", "content": ...}]`, both of the
    same length; each column of the prompts comes as a list of that length. `f` may be async, or an object that can be
    called. `name` is where it was found, `module:attr` or `file.py:attr`, or any other.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        if not callable(function):
            raise InputError(
                f"the judge {name} is a {type(function).__name__}, which can't be called", fix="name a function"
            )
        self.function = function
        self.name = name
        # Once: the code that runs is the one that was read, however the file is edited meanwhile.
        # Where there is no source, the name stands for it; a repr would hold an address, another one each time.
        written = _written(function)
        sources = [_text(file) for file in _files(function, name)]
        self._source = digest(sources or f"{written.__module__}.{written.__qualname__}")

    def settings(self) -> dict[str, Any]:
        """The name and the whole source file, so that an edited function, helper or constant scores anew."""
        return {"judge": self.name, "source": self._source}

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """The function's scores; a Skip where it raised, or gave None, NaN or no number."""
        columns = {
            key: [value] * len(answers)
            for key, value in prompt.columns.items()
            if key not in ("prompts", "completions")
        }
        completions = [[{"role": "assistant", "content": answer}] for answer in answers]
        try:
            with contextlib.redirect_stdout(sys.stderr):
                scores = self.function(
                    prompts=[list(prompt.messages)] * len(answers), completions=completions, **columns
                )
                if inspect.isawaitable(scores):
                    scores = asyncio.run_coroutine_threadsafe(_awaited(scores), _loop()).result()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's own code may raise anything
            return [Skip("unjudged", f"{self.name} raised {error!r}")] * len(answers)
        if (given := _length(scores)) != len(answers):
            what = f"a {type(scores).__name__}" if given is None else f"{given} scores"
            raise InputError(
                f"the judge {self.name} gave {what} for {len(answers)} answers", fix="return one score an answer"
            )
        return [_score(value) for value in scores]


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """One loop for all calls, as clients that a function keeps live on; in a thread, as a notebook has its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


async def _awaited(scores: Awaitable[Any]) -> Any:
    try:
        return await scores
    except SystemExit as error:
        # It would end the loop, and leave the caller waiting.
        raise RuntimeError(f"exit {error.code}") from error


def _written(function: Any) -> Any:
    """What has a place in a source file: the function under partial and decorators, or the class of an object."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if inspect.isroutine(function) or inspect.isclass(function) else type(function)


def _files(function: Any, name: str) -> Iterator[str]:
    """The source files that a score hangs on: where the function was found, and where it is written."""
    found = name.rpartition(":")[0]
    files = [found if found.endswith(".py") else getattr(sys.modules.get(found), "__file__", None)]
    with contextlib.suppress(OSError, TypeError):
        files.append(inspect.getsourcefile(_written(function)))
    yield from (file for file in files if file and _text(file))


def _text(file: str) -> str:
    """The text of a source file or of a notebook's cell; empty where there is none."""
    linecache.checkcache(file)
    return "".join(linecache.getlines(file))


def _length(scores: Any) -> int | None:
    try:
        return len(scores)
    except TypeError:
        return None


def _score(value: Any) -> float | Skip:
    if value is None:
        return Skip("not_applicable", "the judge gave None")
    try:
        # item(): of numpy and torch scalars
        number = float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        return Skip("unjudged", f"no number: {error!s:.200}")
    return number if math.isfinite(number) else Skip("unjudged", f"not finite: {number}")
