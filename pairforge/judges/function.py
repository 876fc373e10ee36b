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
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any

from ..errors import InputError, OutsideError, TerminatedExit
from ..text import a_type, one_line, plural, raised
from ..types import Judge, Prompt, Skip, digest
from .code_digest import CodeDescriber

_TRIED = 20  # calls; a judge that raises in each of the first ones has a fault, which the other prompts would share
_TRIAL = ("Yes.", "No, I am not sure about that.")


class FunctionJudge(Judge):
    """Judge by a reward function, `f(prompts, completions, **columns) -> list[float | None]`.

    `prompts` is a list of message lists, `completions` a list of `[{"role": "assistant", "content": ...}]`, both of the
    same length; each column of the prompts is a list of that length. Higher scores are better, None means not
    applicable. `f` may be async, or a callable object. `name` says where it is: `module:attr`, `file.py:attr` or any;
    without one, it is the function's own, and the key of its scores is what the function itself does.
    `warnings` are lines for the user, emptied by whoever prints them: the first error that `f` raises.
    """

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        if not callable(function):
            what = f"judge={one_line(repr(function), 60)}" if name is None else f"the judge {name}"
            what += f" is {a_type(function)}"
            raise InputError(f"{what}, not a function", fix="give a function, or name one: FILE.py:FUNCTION")
        definition = _definition(function)
        self.name = name or f"{definition.__module__}:{definition.__qualname__}"
        self.function = function
        self.warnings: list[str] = []
        self._raised, self._worked = 0, False  # how many calls raised; whether one did not
        self._settings: dict[str, Any] = {"judge": self.name}
        if name is None:
            self._settings |= {"source": digest(CodeDescriber(function).describe()), "given": "in Python"}
        else:
            # Read once: the code that runs is the one read here, however the file is edited meanwhile.
            # Without a source the name is used; a repr would hold an address, another one each time.
            sources = list(_sources(definition, name))
            self._settings["source"] = digest(sources or f"{definition.__module__}.{definition.__qualname__}")

    def settings(self) -> dict[str, Any]:
        """Return the name and the whole source file, so that answers are scored again after any edit of it."""
        return dict(self._settings)

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """Return the function's scores; a Skip where it raised, or returned None, NaN or not a number.

        Raises InputError where it does not return one value for each answer, OutsideError where it raised in each of
        the first 20 calls.
        """
        try:
            scores = self._call(prompt, answers)
        except TerminatedExit:
            raise
        except (Exception, SystemExit) as error:
            failure = self._failure(error)
            if not self._raised and not self._worked:
                self.warnings.append(failure)
            self._raised += 1
            if self._raised == _TRIED and not self._worked:
                fix = "correct it, and run the same command again: the answers are kept"
                raise OutsideError(f"{failure}; so it did in each of the first {_TRIED} calls", fix=fix) from error
            return [Skip("unjudged", failure)] * len(answers)
        self._worked = True
        return [_score(value) for value in self._checked(scores, len(answers))]

    def check_call(self, prompt: Prompt) -> None:
        """Raise InputError where the function's signature does not take what it will be called with."""
        try:
            inspect.signature(self.function).bind(**_arguments(prompt, _TRIAL))
        except TypeError as error:
            what = f"the judge {self.name} can't be called by pairforge: {one_line(error)}"
            raise InputError(what, fix=f"define it as: def {_CALLED}; {_passed(prompt)}") from error
        except ValueError:  # built-in functions have no signature
            pass

    def try_on(self, prompt: Prompt) -> None:
        """Call the function for two short texts, before any model is asked.

        Raises InputError for a signature or a return value that can't be right, OutsideError for what it raises.
        """
        self.check_call(prompt)
        try:
            scores = self._call(prompt, _TRIAL)
        except TerminatedExit:
            raise
        except (Exception, SystemExit) as error:
            fix = "correct it: it was called for two short texts, before any model is asked"
            if isinstance(error, KeyError) and (name := str(error.args[0] if error.args else "")) not in prompt.columns:
                fix = f"correct it; no column is called '{one_line(name, 40)}': {_passed(prompt)}"
            raise OutsideError(f"{self._failure(error)} on a trial call", fix=fix) from error
        for value in self._checked(scores, len(_TRIAL)):
            if isinstance(found := _score(value), Skip) and found.detail.startswith(_NO_NUMBER):
                what = f"the judge {self.name} returned {one_line(repr(value), 60)}, which is not a number"
                raise InputError(what, fix="return a number for each answer, or None where there is no score")

    def _call(self, prompt: Prompt, answers: Sequence[str]) -> Any:
        with contextlib.redirect_stdout(sys.stderr):
            scores = self.function(**_arguments(prompt, answers))
            if inspect.isawaitable(scores):
                scores = asyncio.run_coroutine_threadsafe(_awaited(scores), _loop()).result()
        return scores

    def _failure(self, error: BaseException) -> str:
        return raised(f"the judge {self.name}", error, *_MACHINERY)

    def _checked(self, scores: Any, count: int) -> Any:
        """Return the scores. Raises InputError where they are not one for each of `count` answers."""
        try:
            listed = None if isinstance(scores, str | Mapping) else len(scores)
        except TypeError:  # a number, None, or an array without a dimension
            listed = None
        if listed == count:
            return scores
        kind = "None" if scores is None else a_type(scores)
        returned = kind if listed is None else plural(listed, "score")
        what = f"the judge {self.name} returned {returned} for {plural(count, 'distinct answer')}"
        raise InputError(what, fix="return a list with one number for each answer; equal answers are judged once")


_CALLED = "judge(prompts, completions, **columns), which returns a list of numbers"
_NO_NUMBER = "not a number: "
_MACHINERY = (__file__, futures._base.__file__)  # the files that call the user's function


def _passed(prompt: Prompt) -> str:
    """Return which columns a prompt has, for a message."""
    names = one_line(", ".join(prompt.columns), 80)
    return f"the prompts have the columns {names}" if names else "the prompts have no columns of their own"


def _arguments(prompt: Prompt, answers: Sequence[str]) -> dict[str, Any]:
    """Return the keyword arguments of the function, each a list with one value for each answer."""
    values = {**prompt.columns, "prompts": list(prompt.messages)}
    columns = {name: [value] * len(answers) for name, value in values.items()}
    return columns | {"completions": [[{"role": "assistant", "content": answer}] for answer in answers]}


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
        return Skip("unjudged", f"{_NO_NUMBER}{error!s:.200}")
    return number if math.isfinite(number) else Skip("unjudged", f"not finite: {number}")
