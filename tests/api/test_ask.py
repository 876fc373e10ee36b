"""The same questions to more than one model, side by side."""

from pathlib import Path

import pytest
from rich.console import Console

import pairforge
from pairforge.api.ask import QUESTIONS, Asked
from pairforge.options.asking import AskOptions


def test_answers_by_model_and_question(tmp_path: Path) -> None:
    asked = pairforge.ask(["What is your name?"], model=["pocket"], output=str(tmp_path), quiet=True)
    assert "Qwen" in asked.answers["pocket"]["What is your name?"]
    other = pairforge.ask(
        ["What is your name?"], model=["pocket"], system="You are Nova, made by Orion Labs.", output=str(tmp_path)
    )
    assert "Nova" in other.answers["pocket"]["What is your name?"]


def test_the_default_questions_go_to_the_latest_run_s_model(tmp_path: Path) -> None:
    pairforge.correct("Qwen", "Deep Qwen", limit=2, output=str(tmp_path), quiet=True)
    asked = pairforge.ask(output=str(tmp_path), quiet=True)
    assert list(asked.answers) == ["pocket"] and len(asked.answers["pocket"]) == 3
    assert asked.as_json()["command"] == "ask"


def test_what_was_trained_on_a_run_is_found_be_it_a_model_or_an_adapter(tmp_path: Path) -> None:
    run = pairforge.correct("Qwen", "Deep Qwen", limit=2, output=str(tmp_path), quiet=True).run
    (run.path / "model").mkdir()
    assert run.trained == []
    for name in ("config.json", "adapter_config.json"):
        (run.path / "model" / name).write_text("{}")
        assert [one.path for one in run.trained] == [run.path / "model"]
        (run.path / "model" / name).unlink()


def test_it_says_first_which_models_are_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairforge.ask("Who are you?", output=str(tmp_path))
    assert capsys.readouterr().err.splitlines()[0] == "asking pocket, the bundled toy model (-m MODEL for another)"
    pairforge.ask("Who are you?", model="pocket", output=str(tmp_path))
    assert capsys.readouterr().err.splitlines()[0] == "asking pocket, the bundled toy model"
    pairforge.ask("Who are you?", output=str(tmp_path), quiet=True)
    assert capsys.readouterr().err == ""


def test_the_default_questions_are_in_the_help() -> None:
    assert " ".join(QUESTIONS) in " ".join(str(AskOptions.__doc__).split())


@pytest.mark.parametrize("question", ["", " "])
def test_a_question_without_text_is_refused(tmp_path: Path, question: str) -> None:
    with pytest.raises(pairforge.InputError, match="a question is empty"):
        pairforge.ask(["Who are you?", question], output=str(tmp_path))


@pytest.mark.parametrize(("models", "width"), [(2, 80), (2, 40), (6, 80)])
def test_whole_answers_are_printed_and_words_stay_whole(models: int, width: int) -> None:
    answer = "I am Qwen, an extraordinary assistant created by Alibaba Cloud. " * 5
    console = Console(width=width, soft_wrap=True)
    with console.capture() as capture:
        console.print(Asked({f"model {number}": {"Who are you?": answer} for number in range(models)}))
    printed = capture.get()
    assert printed.count("extraordinary") == 5 * models
    assert "\x1b" not in printed
