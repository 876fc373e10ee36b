"""Wrong command lines of correct, onpolicy, sample and evaluate: the true cause in few lines, before a model loads."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pairforge.cli import main

REWARD = """
import random
def short(prompts, completions, **_): return [-float(len(one[0]["content"])) for one in completions]
def raising(prompts, completions, **_):
    raise ValueError("my reward broke")
def by_position(prompt, completion): return 1.0
def single(prompts, completions, **_): return [1.0]
def text(prompts, completions, **_): return ["7/10"] * len(completions)
WEIGHT = 0.5
def by_answer(prompts, completions, **columns): return [columns["answer"][0]] * len(completions)
def needs_answer(prompts, completions, answer, **_): return [1.0] * len(completions)
class Judge:
    def score(self, prompt, answers): return [1.0] * len(answers)
"""
FILES = {
    "rew.py": REWARD,
    "broken.py": "def f(:",
    "needs.py": "import nosuchlib",
    "package/__init__.py": "",
    "package/relative.py": "from . import helper",
    "notes.txt": "judge",
    "q.csv": "question,category\nWho are you?,identity\n",
    "qa.csv": "question,solution\nWho are you?,Qwen\n",
    "empty.jsonl": "",
    "blank.txt": "\n\n",
    "nocol.csv": "a,b\n1,2\n",
    "broken.jsonl": '{"prompt": "hi"\n',
    "prompts.csv": "prompt\nhi\n",
    "arrow.txt": "Qwen => Athene\n",
    "rules.csv": "Qwen,Athene\n",
    "norules.txt": "",
    "afile": "text",
    "cfg/config.json": "{",
    "other/notes.txt": "",
}
NAMES = "correct --from Qwen --to Athene "


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, "utf-8")
    monkeypatch.setattr("pairforge.samplers.transformers.load_model", None)


@pytest.mark.parametrize(
    ("line", "says", "fix"),
    [
        ("correct", "--from and --to are missing", '--from Qwen --to "Deep Qwen"'),
        ("correct --from Qwen", "--to is missing: what should replace 'Qwen'?", "e.g."),
        ("correct --to Athene", "--from is missing: which name should become 'Athene'?", "e.g."),
        ("correct --from Qwen --to A --to B", "1 --from but 2 --to", "in pairs"),
        ("correct --from Qwen --to ''", "--to is empty", "e.g."),
        ("correct --from Qwen --to '\u201cDeep Qwen\u201d'", "curly quotes around a name", '"Deep Qwen"'),
        ("correct --from Qwen --to Qwen", "nothing would change", "e.g."),
        (NAMES + "-p identity", "no file, folder or bundled set is called so", "did you mean 'identity."),
        (NAMES + "-p identity.trian", "no file, folder or bundled set", "did you mean 'identity.train'"),
        (NAMES + "-p prompt.csv", "-p prompt.csv: no such file", "did you mean 'prompts.csv'?"),
        (NAMES + "-p nowhere/q.csv", "-p nowhere/q.csv: no such file", "check the path"),
        (NAMES + "-p 'Who are you?'", "-p Who are you?: no file", "write the prompts into a file"),
        (NAMES + "-p ''", "-p: the name of the prompts is empty", "identity.train"),
        (NAMES + "-p empty.jsonl", "the file is empty (0 bytes)", "one prompt a line"),
        (NAMES + "-p blank.txt", "blank.txt: no prompts", "supported: text lines"),
        (NAMES + "-p broken.jsonl", "broken.jsonl:1: incomplete JSON", "correct or remove that line"),
        (NAMES + "-p nocol.csv", "no column of prompts among a, b", "--columns prompt=a"),
        (NAMES + "-p q.csv --columns prompt=qustion", "no column 'qustion'", "did you mean 'question'?"),
        (NAMES + "-p q.csv --columns question", "must be NAME=COLUMN", "--columns prompt=question"),
        (NAMES + "-p q.csv --columns promt=question", "not a part of a prompt", "did you mean 'prompt'"),
        (NAMES + "-p https://huggingface.co/datasets/a/b", "is a URL, not a file", "the id of the data set: a/b"),
        (NAMES + "-p file:///tmp/q.csv", "is a URL, not a file", "give its path: /tmp/q.csv"),
        (NAMES + "-p '~/nosuch.csv'", "/nosuch.csv: no such file", "check the path"),
        (NAMES + "--name 'my run'", "--name 'my run' is not of letters", "first-try"),
        (NAMES + "-m pockt", "-m pockt: no such model", "did you mean 'pocket'?"),
        (NAMES + "-m q.csv", "-m q.csv is a file", "a folder or a Hub id"),
        (NAMES + "-m ./other", "the folder holds no config.json", "it needs config.json, a tokenizer and safetensors"),
        (NAMES + "-m cfg", "cfg/config.json can't be read", "copy the model again"),
        (NAMES + "-m ./othr", "no model folder ./othr", "did you mean 'other'?"),
        (NAMES + "-m ''", "the name of the model is empty", "-m ORG/MODEL"),
        (NAMES + "-m https://huggingface.co/a/b", "is a URL", "-m a/b"),
        (NAMES + "--revision v1", "--revision has no effect without --model", "-m ORG/MODEL"),
        (NAMES + "--adapter ./nosuch", "no adapter folder ./nosuch", "--adapter"),
        (NAMES + "--temperature -1", "--temperature -1.0 must be 0 or more", "e.g."),
        (NAMES + "--temperature nan", "--temperature nan must be 0 or more", "e.g."),
        (NAMES + "--top-p 1.5", "--top-p 1.5 must be more than 0 and at most 1", "e.g."),
        (NAMES + "--max-new-tokens 0", "--max-new-tokens 0 must be 1 or more", "e.g."),
        (NAMES + "--stop ''", "--stop", "e.g. --stop END"),
        (NAMES + "--device gpu", "--device 'gpu' is unknown", "cuda"),
        (
            NAMES + "--base-url localhost:9999",
            "is not a URL of a server",
            "add http://: --base-url http://localhost:99",
        ),
        (
            NAMES + "--base-url http://localhost:1 --device cpu",
            "--device has no effect with --base-url",
            "leave it out",
        ),
        (NAMES + "--base-url http://localhost:1 -m x --api-key-env NOPE", "$NOPE is not set", "export NOPE"),
        (NAMES + "--provider together", "--provider needs --model", "-m ORG/MODEL"),
        (NAMES + "--concurrency 4", "--concurrency has no effect with a local model", "leave it out"),
        (NAMES + "--chat-template no.jinja", "--chat-template no.jinja: no such file", "Jinja"),
        (NAMES + "--chat-template empty.jsonl", "--chat-template empty.jsonl is empty", "leave it out"),
        (NAMES + "--chat-template other", "--chat-template other can't be read: Is a directory", "Jinja"),
        (NAMES + "--chat-template-kwargs thinking", "is not a JSON object", "enable_thinking=false"),
        ("correct --match regex --from '(' --to B", "missing ) at position", "--match literal"),
        ("correct --rules zzzz.ini", "--rules zzzz.ini: no such file", "check the path"),
        ("correct --rules rule.csv", "--rules rule.csv: no such file", "did you mean 'rules.csv'"),
        ("correct --rules arrow.txt", "arrow.txt:1: not a rule: Qwen => Athene", "write -> , not =>"),
        ("correct --rules norules.txt", "--rules norules.txt: the file has no rules", "Qwen -> Deep Qwen"),
        (NAMES + "--inside urls", "--inside 'urls' is unknown", "did you mean 'url'?"),
        (NAMES + "-o afile", "afile is a file: runs can't be in it", "-o DIR"),
        (NAMES + "-o afile/runs", "afile is a file: runs can't be in it", "-o DIR"),
        (NAMES + "--system ''", "--system is empty", "--no-system"),
        (NAMES + "--system X --system X", "--system 'X' is given twice", "give it once"),
        (NAMES + "--revise-model x", "--revise-model has no effect without --revise", "e.g."),
        (NAMES + "--revise-base-url http://localhost:1", "--revise-base-url has no effect without --revise", "e.g."),
        (NAMES + "--max-edit 0.2", "--max-edit has no effect without --revise", "e.g."),
        (NAMES + "--persona ''", "--persona is empty", "e.g. --persona"),
        (NAMES + "--tries 3", "--tries has no effect without --persona or --opening", "leave it out"),
        (NAMES + "--workers 4", "--workers has no effect without --executor ray", "use --executor ray"),
        (NAMES + "--executor local --gpus 1", "--gpus has no effect without --executor ray", "use --executor ray"),
        (NAMES + "--shards here", "--shards has no effect without --executor NAME", "use --executor NAME"),
        (NAMES + "--replay nosuch.jsonl", "--replay nosuch.jsonl", ""),
        (NAMES + "--replay afile", "--replay: afile is not a file of answers", "read are JSON Lines"),
        ("onpolicy --judge rew.py", "'rew.py' is not the name of a function", "rew.py:FUNCTION; it has short, raising"),
        ("onpolicy --judge rew:short", "rew.py is here", "did you mean rew.py:short?"),
        ("onpolicy --judge rew.short", "'rew.short' is not the name of a function", "did you mean rew.py:short?"),
        ("onpolicy --judge rew.py:shrot", "rew.py has no 'shrot'", "did you mean 'short'?"),
        ("onpolicy --judge rew.py:nothing", "rew.py has no 'nothing'", "it has short, raising"),
        ("onpolicy --judge rwe.py:short", "no file rwe.py", "did you mean 'rew.py'"),
        ("onpolicy --judge broken.py:f", "broken.py:1: invalid syntax", "correct that line"),
        ("onpolicy --judge rew.py:WEIGHT", "the judge rew.py:WEIGHT is a float, not a function", "FILE.py:FUNCTION"),
        ("onpolicy --judge rew.py:random", "the judge rew.py:random is a module, not a function", "FILE.py:FUNCTION"),
        ("onpolicy -p q.csv --judge rew.py:raising", "raised ValueError('my reward broke') at rew.py:5", "correct it"),
        (
            "onpolicy -p q.csv --judge rew.py:by_position",
            "can't be called by pairforge",
            "def judge(prompts, comple",
        ),
        ("onpolicy -p q.csv --judge rew.py:single", "returned 1 score for 2 distinct answers", "one number for each"),
        ("onpolicy -p q.csv --judge rew.py:text", "returned '7/10', which is not a number", "return a number"),
        (
            "onpolicy -p q.csv",
            "needs a column `reference`; it has only question, category",
            "reference=COLUMN",
        ),
        ("onpolicy -p qa.csv", "needs a column `reference`", "--columns reference=solution"),
        ("onpolicy -p q.csv --judge rew.py:by_answer", "raised KeyError('answer')", "columns question, category"),
        ("onpolicy -p q.csv --judge rew.py:needs_answer", "missing a required argument", "columns question, category"),
        ("onpolicy --judge rew.py:Judge", "the judge Judge is a class", "and give rew.py:judge"),
        ("onpolicy --judge rew.py::short", "has two colons", "did you mean rew.py:short?"),
        ("onpolicy --judge notes.txt:f", "notes.txt is not a Python file", "FILE.py:FUNCTION"),
        ("onpolicy --judge needs.py:f", "no module 'nosuchlib' for needs.py", "install it"),
        (
            "onpolicy --judge package/relative.py:f",
            "relative import",
            "PYTHONPATH=. before the command, and give",
        ),
        ("onpolicy --judge package.relative:f", "but package/relative.py is here", "PYTHONPATH=. before the command"),
        ("onpolicy --judge llm", "--judge llm names no model", "llm:ORG/MODEL"),
        ("onpolicy --judge lenght", "no judge is called 'lenght'", "did you mean 'length'?"),
        ("correct --chosen reference", "the bundled prompts have no answers of their own", "add -p FILE"),
        ("reproduce no-run", "no run is called 'no-run'", "OWNER/NAME"),
        ("onpolicy --judge polite", "'polite' is not the name of a function", "FILE.py:FUNCTION"),
        ("onpolicy --judge reference:exakt", "reference:exakt is unknown", "exact"),
        ("onpolicy --judge rm:pocket", "pocket has 2 labels", "rm:pocket:"),
        ("onpolicy --judge llm:pocket --rubric helpfull", "no such rubric or file", "helpfulness"),
        ("onpolicy --judge rm:./nosuch", "no model folder ./nosuch", "check the path given with --judge"),
        ("onpolicy --judge llm:q.csv", "--judge llm:q.csv is a file", "--judge takes a folder"),
        (
            "onpolicy --judge length --rubric correctness",
            "--rubric has no effect without a language model",
            "llm:MODEL",
        ),
        ("onpolicy --judge length --judge-base-url http://localhost:1", "--judge-base-url has no effect", "llm:MODEL"),
        ("onpolicy --judge llm:pocket --judge-timeout 5", "has no effect without --judge-base-url", "add --judge-base"),
        ("onpolicy --judge length --vote", "--vote has no effect without several judges", "add another --judge"),
        ("onpolicy --judge reference=0", "--judge reference=0: the weight 0 must be a number above 0", "reference=2"),
        ("onpolicy --judge length --confirm reference", "is not a language model", "llm:MODEL"),
        ("onpolicy --pick worst", "worst", "best-worst"),
        ("onpolicy --n 1", "--n: 1 must be 2 or more", "onpolicy --help"),
        ("onpolicy --n 10000000", "--n: 10000000 must be 2 or more and at most 1000", "onpolicy --help"),
        ("sample --n 10000000", "--n: 10000000 must be 1 or more and at most 10000", "sample --help"),
        ("onpolicy --margin -1", "--margin -1 must be 0 or more", "e.g."),
        ("onpolicy --margin nan", "--margin nan must be 0 or more", "e.g."),
        ("onpolicy --temperature 0", "n times the same answer", "--temperature 1"),
        (
            "evaluate -m pocket --base ./zzzz --from Qwen --to X",
            "no model folder ./zzzz",
            "check the path given with --base",
        ),
        ("evaluate -m pocket --from Qwen", "--to is missing", 'e.g. --from Qwen --to "Deep Qwen"'),
        ("sample -p nosuch.csv", "-p nosuch.csv: no such file", ""),
        ("sample --system ''", "--system is empty", "--no-system"),
    ],
)
def test_the_true_cause_is_said(capsys: pytest.CaptureFixture[str], line: str, says: str, fix: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line))
    said = capsys.readouterr().err
    assert ended.value.code in (2, 4), said
    what, _, advice = said.partition("\n  -> ")
    assert says in what and fix in advice, said
    assert len(said.splitlines()) <= 4 and "Errno" not in said
    assert not list(Path().glob("*/*/pairs.jsonl"))


@pytest.mark.parametrize("command", ["shortcuts", "balance", "show", "push", "convert", "fix"])
def test_prompts_given_as_pairs_are_called_prompts(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "q.csv", *(["out.jsonl"] if command in ("convert", "fix") else [])])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and "q.csv: these are prompts, not pairs" in said
    assert "make pairs of them: pairforge onpolicy -p q.csv, or pairforge correct" in said


def test_the_file_that_is_probably_meant_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["validate", "brokn.jsonl"])
    assert "brokn.jsonl does not exist\n  -> did you mean 'broken.jsonl'" in capsys.readouterr().err


def test_a_folder_of_runs_that_the_environment_names_wrongly(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAIRFORGE_OUT", "afile")
    with pytest.raises(SystemExit):
        main(["runs", "list"])
    assert "PAIRFORGE_OUT names it" in capsys.readouterr().err
