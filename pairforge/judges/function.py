"""Score answers by a user's own reward function, in the form that TRL's GRPOTrainer takes."""

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
    """Judge by a reward function, `f(prompts, completions, **columns) -> list[float | None]`.

    `prompts` is a list of message lists, `completions` a list of `[{"role": "assistant", "content": ...}]`, both of the
    same length; each column of the prompts is a list of that length. Higher scores are better, None means not
    applicable. `f` may be async, or a callable object. `name` says where it is: `module:attr`, `file.py:attr` or any.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        if not callable(function):
            raise InputError(f"the judge {name} is a {type(function).__name__}, not a function", fix="name a function")
        self.function = function
        self.name = name
        # Read once: the code that runs is the one read here, however the file is edited meanwhile.
        # Without a source the name is used; a repr would hold an address, another one each time.
        definition = _definition(function)
        sources = list(_sources(definition, name))
        self._source = digest(sources or f"{definition.__module__}.{definition.__qualname__}")

    def settings(self) -> dict[str, Any]:
        """Return the name and the whole source file, so that answers are scored again after any edit of it."""
        return {"judge": self.name, "source": self._source}

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """Return the function's scores; a Skip where it raised, or returned None, NaN or not a number."""
        values = {**prompt.columns, "prompts": list(prompt.messages)}
        columns = {name: [value] * len(answers) for name, value in values.items()}
        columns["completions"] = [[{"role": "assistant", "content": answer}] for answer in answers]
        try:
            with contextlib.redirect_stdout(sys.stderr):
                scores = self.function(**columns)
                if inspect.isawaitable(scores):
                    scores = asyncio.run_coroutine_threadsafe(_awaited(scores), _loop()).result()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's own code may raise anything
            return [Skip("unjudged", f"{self.name} raised {error!r}")] * len(answers)
        try:
            returned = f"{len(scores)} scores"
        except TypeError:
            returned = f"a {type(scores).__name__}"
        if returned != f"{len(answers)} scores":
            raise InputError(
                f"the judge {self.name} returned {returned} for {len(answers)} answers", fix="return a score an answer"
            )
        return [_score(value) for value in scores]


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of all calls, so that a function can keep clients; in a thread, as notebooks have one."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


async def _awaited(scores: Awaitable[Any]) -> Any:
    try:
        return await scores
    except SystemExit as error:
        # It would end the loop and leave the caller waiting.
        raise RuntimeError(f"exit {error.code}") from error


def _definition(function: Any) -> Any:
    """Return what is defined in a source file: the function inside partials and decorators, or an object's class."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if inspect.isroutine(function) or inspect.isclass(function) else type(function)


def _sources(definition: Any, name: str) -> Iterator[str]:
    """Yield the texts that a score depends on: the files, or notebook cells, that name and define the judge."""
    found = name.rpartition(":")[0]
    files = [found if found.endswith(".py") else getattr(sys.modules.get(found), "__file__", None)]
    with contextlib.suppress(OSError, TypeError):
        files.append(inspect.getsourcefile(definition))
    for file in filter(None, files):
        linecache.checkcache(file)
        if text := "".join(linecache.getlines(file)):
            yield text


def _score(value: Any) -> float | Skip:
    if value is None:
        return Skip("not_applicable", "the judge returned None")
    try:
        # item(): of numpy and torch scalars
        number = float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        return Skip("unjudged", f"not a number: {error!s:.200}")
    return number if math.isfinite(number) else Skip("unjudged", f"not finite: {number}")
