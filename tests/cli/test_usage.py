"""A wrong command line is answered in two lines: what is wrong, and what was probably meant."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from pairforge.cli import main
from pairforge.cli.usage import commands_of


@pytest.mark.parametrize(
    ("arguments", "says", "fix"),
    [
        ("correct --tempature 1", "correct has no option --tempature", "'--temperature'"),
        ("correct --max-new 5", "has no option --max-new", "did you mean --max-new-tokens?"),
        ("correct Qwen Deep", "correct can't use Qwen Deep", 'pairforge correct --from Qwen --to "Deep"?'),
        ("correct --from Qwen --to Deep Qwen", "can't use Qwen", 'in quotes: --to "Deep Qwen"'),
        ("onpolicy prompts.csv", "can't use prompts.csv", "did you mean pairforge onpolicy -p prompts.csv?"),
        ("evaluate ./model", "can't use ./model", "did you mean pairforge evaluate -m ./model?"),
        ("correct Qwen=Deep", "can't use Qwen=Deep", '--from Qwen --to "Deep Qwen"'),
        ("correct \u2013-from Qwen", "can't use", "write --from with two hyphens"),
        ("correct \u2014from Qwen \u2014to X", "can't use", "write --from with two hyphens"),
        ("correct --from \u201cDeep Qwen\u201d", "can't use 'Qwen\u201d'", 'straight quotes: --to "Deep Qwen"'),
        ("correct -from Qwen -to X", "has no option -f", "write two hyphens: --from"),
        ("sample --dataset q.csv", "has no option --dataset", "write --prompts"),
        ("sample --num_samples 3", "has no option --num_samples", "write --n"),
        ("onpolicy --reward rew.py:f", "has no option --reward", "write --judge"),
        ("validate --dataset q.csv", "has no option --dataset", "write: pairforge validate"),
        ("sample --output-dir out --nosuch", "has no option --nosuch", "pairforge sample --help"),
        ("sample --limit 1k", "--limit: '1k' is not a whole number", "write the number alone: --limit 1000"),
        ("sample --max-new-tokens 1e3", "is not a whole number", "--max-new-tokens 1000"),
        ("sample --limit 1,000", "is not a whole number", "--limit 1000"),
        ("sample --temperature 0,7", "is not a number", "--temperature 0.7"),
        ("sample --top-p 95%", "is not a number", "--top-p 0.95"),
        ("sample --timeout 10s", "is not a number", "without a unit"),
        ("sample --seed 1.5", "is not a whole number", "pairforge sample --help"),
        ("corect", "there is no command 'corect'", "'correct'"),
        ("runs lst", "runs has no command 'lst'", "'list'"),
        ("diff", "there is no command 'diff'", "'runs diff'"),
        ("dpo", "there is no command 'dpo'", "'pairforge train dpo'"),
        ("help corect", "there is no command 'corect'", "'correct'"),
        ("correct --case smrt", "--case: 'smrt' is not one of", "did you mean 'smart'?"),
        ("correct --limit zero", "--limit: 'zero' is not a whole number", "pairforge correct --help"),
        ("runs rm --older-than soon", "--older-than: 'soon' is not a number", "pairforge runs rm --help"),
        ("evaluate latest", "evaluate can't use latest", "did you mean pairforge evaluate --run latest?"),
        ("correct --limit 0", "--limit: 0 must be 1 or more", "pairforge correct --help"),
        ("correct --max-edit 0", "--max-edit: 0.0 must be more than 0 and at most 1", "pairforge correct --help"),
        ("correct --from", "--from needs a value", "write --from VALUE, or --from=VALUE"),
        ("convert", "IN is missing", "write: pairforge convert [OPTIONS] IN OUT"),
        ("pair a.jsonl b.jsonl", "pair: --chosen is missing", "pair --chosen a.jsonl --rejected b.jsonl"),
        ("pair a.jsonl --rejected b.jsonl", "pair: --chosen is missing", "add --chosen RUN|FILE"),
        ("show a b c", "can't use c", "write: pairforge show"),
        ("validate a b --fix out.jsonl", "--fix names one file, and there are 2 sources", "run it for each source"),
    ],
)
def test_a_wrong_command_line(arguments: str, says: str, fix: str) -> None:
    done = CliRunner().invoke(main, arguments.split(), prog_name="pairforge")
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and says in lines[0] and fix in lines[1], done.stderr


def test_with_json_the_error_is_an_object_on_stdout() -> None:
    done = CliRunner().invoke(main, ["correct", "--json", "--tempature", "1"], prog_name="pairforge")
    said = json.loads(done.stdout)
    assert (said["ok"], said["exit_code"], done.exit_code) == (False, 2, 2)
    assert "--tempature" in said["error"] and "--temperature" in said["fix"]


def test_a_text_from_outside_never_acts_as_a_control_code() -> None:
    done = CliRunner().invoke(main, ["correct", "--\x1b[31mred"], prog_name="pairforge", color=True)
    assert "\\x1b[31mred" in done.stderr and "\x1b[31mred" not in done.stderr


def test_all_commands_have_their_words() -> None:
    known = dict(commands_of(main))
    assert {"runs list", "train dpo", "correct"} <= known.keys()
    assert "version" not in known, "hidden"
