"""What Python gives as an option is checked as the command line is: the type, the choices, the bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

import pairforge
from pairforge.errors import InputError
from pairforge.options.asking import SampleOptions
from pairforge.options.correction import CorrectOptions
from pairforge.options.declaration import GIVEN_IN_PYTHON, check_values, refuse_idle, values_of, words_of
from pairforge.options.judging import OnpolicyOptions


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"temperature": "hot"}, "temperature='hot' must be a number"),
        ({"max_new_tokens": 2.5}, "max_new_tokens=2.5 must be a whole number"),
        ({"max_new_tokens": True}, "max_new_tokens=True must be a whole number"),
        ({"quiet": "yes"}, "quiet='yes' must be True or False"),
        ({"output": 5}, "output=5 must be a text"),
        ({"model": ["a"]}, r"model=\['a'\] must be a text"),
        ({"limit": 0}, "--limit 0 must be at least 1"),
        ({"counter": 4}, "--counter 4 must be at most 3"),
        ({"max_edit": 0}, "--max-edit 0 must be more than 0"),
        ({"counter": float("nan")}, "--counter nan must be"),
        ({"case": "smrt"}, "--case 'smrt' is unknown .*did you mean 'smart'"),
        ({"dtype": "fp16"}, "--dtype 'fp16' is unknown .*float16"),
    ],
)
def test_a_wrong_value_gets_one_line(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        check_values(CorrectOptions("a", "b", **given))
    assert "\n" not in str(caught.value)


def test_what_is_alike_is_taken() -> None:
    options = SampleOptions(
        n=numpy.int64(2), temperature=1, top_p=numpy.float32(0.5), model=Path("here"), limit=None, max_minutes=1
    )  # type: ignore[arg-type]
    check_values(options)
    assert options.model == "here"


def test_a_misspelt_argument_is_named() -> None:
    with pytest.raises(TypeError, match=r"correct\(\): .*'temprature': did you mean 'temperature'"):
        pairforge.correct("a", "b", temprature=1)  # type: ignore[call-arg]


def test_help_lists_the_arguments_in_the_order_of_the_command() -> None:
    listed = [
        line.split(":")[0].strip() for line in str(pairforge.correct.__doc__).partition("Args:\n")[2].splitlines()
    ]
    assert listed[:3] == ["from_", "to", "rules"] and listed[-2:] == ["output", "quiet"]
    assert "prompts" in listed and "Default: 'identity.train'." in str(pairforge.correct.__doc__)


def test_words_of_options_give_the_same_options_again() -> None:
    given = CorrectOptions("Qwen", "Deep Qwen", system=["a b", "--x"], limit=3, article=True, columns={"q": "c"})
    words = words_of(given, ("limit",))
    assert words == [
        "--system", "a b", "--system", "--x", "--columns", "q=c", "--from", "Qwen", "--to", "Deep Qwen", "--article",
    ]  # fmt: skip
    assert words_of(CorrectOptions(**values_of(CorrectOptions, words))) == words
    assert values_of(OnpolicyOptions, ["--n=8"]) == {"n": 8}
    python = OnpolicyOptions(prompts=["Hi"], judge=len)
    assert words_of(python) == ["--prompts", GIVEN_IN_PYTHON, "--judge", GIVEN_IN_PYTHON]


NO_OPTIONS = [["Qwen"], ["--limit"], ["--limit", "x"], ["--article=1"], ["--artic"], ["--quiet", "1"]]


@pytest.mark.parametrize("words", NO_OPTIONS)
def test_words_that_are_no_options(words: list[str]) -> None:
    with pytest.raises(InputError):
        values_of(CorrectOptions, words)


def test_an_option_that_nothing_uses_is_refused_where_it_is_not_the_default() -> None:
    refuse_idle(CorrectOptions("a", "b", tries=4, persona="x"), ["tries", "max_edit"], "--revise", "leave it out")
    with pytest.raises(InputError, match=r"--max-edit has no effect without --revise \(leave it out\)"):
        refuse_idle(CorrectOptions("a", "b", max_edit=0.2), ["tries", "max_edit"], "--revise", "leave it out")
