"""The same questions to more than one model, side by side."""

from pathlib import Path

import pairforge


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
