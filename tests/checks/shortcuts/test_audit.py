"""What the audit finds in sets with planted shortcuts, and that it finds nothing in sets without."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console
from support import pair

from pairforge.checks.shortcuts import Cue, Report, audit
from pairforge.checks.shortcuts.features import as_written, contains, join_words, words
from pairforge.checks.shortcuts.findings import cue_finding, grade, predictability_level
from pairforge.errors import InputError

VOCABULARY = [f"{a}{b}{c}" for a in "bdfgkl" for b in "aeiou" for c in "mnrst"]
Edit = Callable[[str], str]


def row(question: str, chosen: str, rejected: str, system: str | None = None) -> dict[str, Any]:
    return pair(chosen, rejected, question, system=system)


def rows(count: int, seed: int, chosen: Edit = str, rejected: Edit = str, share: float = 1.0) -> list[dict[str, Any]]:
    """Answers drawn from one distribution, of which a share is edited."""
    rng = random.Random(seed)

    def text() -> str:
        return " ".join(rng.choices(VOCABULARY, k=rng.randint(8, 20))) + "."

    made = []
    for number in range(count):
        one, other = text(), text()
        edited = rng.random() < share
        made.append(row(f"Question {number}", chosen(one) if edited else one, rejected(other) if edited else other))
    return made


def inside(word: str) -> Edit:
    return lambda text: text.replace(" ", f" {word} ", 1)


PLANTS: list[tuple[str, str, Edit, str]] = [
    ("words", "zephyr", inside("zephyr"), "chosen"),
    ("words", "zephyr", inside("zephyr"), "rejected"),
    ("words", "深度", inside("深度"), "chosen"),
    ("first", "Certainly", lambda text: f"Certainly {text}", "chosen"),
    ("words", "hope", lambda text: f"{text} I hope this helps", "chosen"),
    ("style", "spaces at the start", lambda text: f" {text}", "rejected"),
    ("style", "bold text", lambda text: f"**{text[:3]}**{text[3:]}", "chosen"),
    ("style", "template tokens", lambda text: f"{text}<|im_end|>", "rejected"),
]


@pytest.mark.parametrize(
    ("kind", "feature", "edit", "side"), PLANTS, ids=[f"{plant[1]}-{plant[3]}" for plant in PLANTS]
)
@pytest.mark.parametrize("share", [1.0, 0.1])
def test_a_planted_shortcut_is_the_top_finding(kind: str, feature: str, edit: Edit, side: str, share: float) -> None:
    report = audit(rows(400, 1, share=share, **{side: edit}))
    top = report.cues[0]
    assert feature in (top.feature, *top.explains), report.cues
    assert top.favours == side
    assert sum(cue.grade != "low" for cue in report.cues) == 1, "one cause is one finding"
    assert report.verdict == "critical" if share == 1 else report.verdict in ("watch", "high")
    assert report.ok == (report.verdict == "watch")


@pytest.mark.slow
def test_sets_without_a_shortcut_are_clean() -> None:
    flagged = [
        report for report in (audit(rows(150, seed)) for seed in range(40)) if report.cues or report.verdict != "ok"
    ]
    assert len(flagged) <= 3


def test_length_alone_is_one_finding() -> None:
    rng = random.Random(2)
    made = rows(1000, 3)
    for one in made:
        longer = len(one["chosen"][-1]["content"]) > len(one["rejected"][-1]["content"])
        if longer != (rng.random() < 0.75):
            one["chosen"], one["rejected"] = one["rejected"], one["chosen"]
    report = audit(made)
    assert [cue.kind for cue in report.cues] == ["length"]
    assert report.by["length"].value == pytest.approx(0.75, abs=0.04)


def test_one_prompt_has_one_vote() -> None:
    made = [one for one in rows(4, 4, chosen=inside("zephyr")) for _ in range(50)]
    report = audit(made)
    assert (report.rows, report.prompts, report.cues) == (200, 4, [])
    systems = [row("Who?", f"A {n}", f"B {n}", system=f"You are {n}.") for n in range(30)]
    assert audit(systems).prompts == 1


def test_finding_says_what_was_seen() -> None:
    report = audit(rows(300, 5, chosen=inside("Deep")))
    finding = next(finding for finding in report.findings if finding.code == "PF305")
    assert finding.message == (
        "'Deep' is in 100 % of chosen and 0 % of rejected answers: a model that learns only this wins every pair"
    )
    assert finding.severity == "error"
    more = finding.more
    assert (more["feature"], more["kind"], more["grade"], more["intended"]) == ("Deep", "words", "critical", False)
    assert (more["chosen_rate"], more["rejected_rate"], more["coverage"], more["win_rate"]) == (1, 0, 1, 1)
    assert more["q"] < 1e-50
    assert more["examples"] == (0, 1, 2)
    assert "wins every pair (rows 0, 1, 2)" in str(report)


def name_set(count: int, swapped: bool) -> list[dict[str, Any]]:
    forms = ["I am {}.", "My name is {}, nice to meet you.", "我是{}，很高兴认识你。", "Call me {}!"]
    sides = [[form.format(name) for form in forms] for name in ("Deep Qwen", "Qwen")]
    sides = sides[::-1] if swapped else sides
    return [row(f"{'What' if swapped else 'Who'} {n}?", sides[0][n % 4], sides[1][n % 4]) for n in range(count)]


def test_an_expected_term_is_told_apart_and_no_error() -> None:
    pairs = name_set(120, swapped=False)
    assert audit(pairs).verdict == "critical"
    report = audit(pairs, ["Deep Qwen"])
    assert (report.verdict, report.ok, report.separability) == ("ok", True, 1.0)
    (finding,) = report.findings
    assert (finding.code, finding.severity) == ("PF307", "warning")
    assert (
        "100 % of chosen and 0 % of rejected answers. That is intended; pairforge correct --counter 1"
        in finding.message
    )
    assert report.conclusion == "verdict: ok (the only shortcut is 'Deep Qwen', which is intended)"


def test_counter_pairs_balance_an_expected_term() -> None:
    report = audit(name_set(120, swapped=False) + name_set(120, swapped=True), ["Deep Qwen"])
    (finding,) = [finding for finding in report.findings if finding.code == "PF307"]
    assert (finding.severity, finding.more["balanced"]) == ("info", True)
    assert report.ok


def test_an_expected_term_hides_nothing_else() -> None:
    pairs = name_set(120, swapped=False) + rows(200, 6, chosen=inside("zephyr"))
    report = audit(pairs, ["Deep Qwen"])
    assert "zephyr" in [cue.feature for cue in report.cues if not cue.intended and cue.grade != "low"]
    assert not report.ok
    absent = next(finding for finding in audit(rows(50, 1), ["Deep Qwen"]).findings if finding.code == "PF307")
    assert absent.severity == "info"
    assert "in no pair" in absent.message


def test_the_report_is_json_and_repeats() -> None:
    def text() -> str:
        return json.dumps(audit(rows(120, 7, chosen=inside("zephyr")), ["zephyr"]).as_json(), allow_nan=False)

    value = json.loads(text())
    assert text() == text()
    assert (value["command"], value["ok"], value["rows"], value["prompts"]) == ("shortcuts", True, 120, 120)
    assert 0 <= value["separability"] <= 1
    assert {"code", "severity", "message", "row", "path", "feature", "kind", "q"} <= set(value["findings"][0])


def test_identical_pairs_are_counted_and_left_out() -> None:
    report = audit([*rows(50, 8), row("Same?", "Yes.", "Yes.")])
    assert (report.rows, report.prompts, report.identical) == (51, 50, 1)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ([], "nothing to compare: no rows"),
        ([row("a", "b", "b")] * 3, "all 3 rows have the same answer on both sides"),
        (
            [*rows(2, 1), {"chosen": "a", "rejected": "b"}],
            "row 2 is not a pair of message lists: it holds chosen and rejected texts without a prompt",
        ),
        ([{"chosen": []}], "row 0 is not a pair"),
    ],
)
def test_what_is_no_set_of_pairs_is_refused(broken: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        audit(broken)


def test_tiny_sets_say_little() -> None:
    for count in (1, 2, 5):
        report: Report = audit(rows(count, 9))
        assert (report.verdict, report.cues) == ("ok", [])
        assert str(report).endswith(f"no verdict: too few pairs to say ({count} with different prompts; 100 needed)")
        assert not report.as_json()["enough"]
        few = f"No shortcut can be detected in so few prompts: {count}, and at least {report.sensitivity} are needed"
        assert few in str(report).splitlines()
        assert ("picks the chosen answer in" in str(report)) is (count == 5)


def test_words_follow_the_script() -> None:
    assert words("我是Qwen模型, don't 42!") == ["我", "是", "Qwen", "模", "型", ",", "don't", "42", "!"]
    assert join_words(("我", "是", "Qwen")) == "我是Qwen"
    assert join_words(("I", "am", "Qwen", ".")) == "I am Qwen."
    assert contains(words("I am Deep Qwen."), ("Deep", "Qwen"))
    assert not contains(words("Deep in Qwen"), ("Deep", "Qwen"))


def test_grades_are_those_of_the_table() -> None:
    cells = [(0.96, 0.5, 0.2), (0.96, 0.2, 0.1), (0.7, 0.9, 0.2), (0.85, 0.02, 0.01), (0.6, 0.5, 0.1)]
    assert [grade(*cell) for cell in cells] == ["critical", "high", "high", "medium", "low"]
    assert [predictability_level(low) for low in (0.6, 0.65, 0.8, 0.95)] == [
        "ok",
        "watch",
        "high",
        "critical",
    ]


def test_pairs_that_differ_in_an_expected_term_alone_tell_nothing_else() -> None:
    def named(number: int, end: str = "") -> list[dict[str, Any]]:
        """A correction, and a counter-pair whose other name is written in Chinese."""
        return [
            row(f"Who, {number}?", f"I am Deep Qwen, answer {number}.{end}", f"I am Qwen, answer {number}."),
            row(f"谁，{number}？", f"我叫云朵，第{number}。{end}", f"我叫Deep Qwen，第{number}。"),
        ]

    plain = audit([pair for number in range(60) for pair in named(number)], ["Deep Qwen"])
    assert plain.ok
    assert {cue.feature for cue in plain.cues} <= {"Deep Qwen"}
    spaced = audit([pair for number in range(60) for pair in named(number, " ")], ["Deep Qwen"])
    assert not spaced.ok
    assert not audit([pair for number in range(60) for pair in named(number)]).ok


OTHERS: list[tuple[str, Edit]] = [
    ("emoji", lambda text: f"{text} {'😀🎉🚀🔥✨💡🌟👍😊🙌'[len(text) % 10]}"),
    ("double spaces", lambda text: text.replace(" ", "  ", 1)),
    ("line breaks at the end", lambda text: f"{text}\n"),
    ("British spellings", inside("colour")),
    ("table rows", lambda text: f"{text}\n\n| a | b |\n|---|---|"),
    ("invisible characters", lambda text: f"{text[:2]}\u200b{text[2:]}"),
    ("doubled words", lambda text: f"{text.split()[0]} {text}"),
    ("0/0", lambda text: f"{text} {len(text) % 9}/{len(text) % 7}"),
    ("first person", inside("I")),
    ("as far as we know", inside("as far as we know")),
]


@pytest.mark.parametrize(("named", "edit"), OTHERS, ids=[name for name, _ in OTHERS])
def test_shortcuts_of_other_kinds(named: str, edit: Edit) -> None:
    top = audit(rows(400, 1, chosen=edit, share=0.15)).cues[0]
    said = [top.feature, top.phrase, *top.explains]
    assert any(named in text.replace(" ", "") or named in text for text in said), said
    assert top.favours == "chosen"


def test_fail_on_is_the_level_that_fails() -> None:
    made = rows(400, 1, chosen=inside("zephyr"), share=0.1)
    verdicts = {level: audit(made, fail_on=level) for level in ("watch", "high", "critical")}
    assert {report.verdict for report in verdicts.values()} <= {"watch", "high"}
    assert not verdicts["watch"].ok and verdicts["critical"].ok


def test_easiness_is_one_bit_where_a_pair_is_told_at_a_glance() -> None:
    report = audit(rows(300, 1, chosen=inside("zephyr")))
    assert set(report.easiness) == set(range(300))
    assert sum(report.easiness.values()) / 300 > 0.9
    assert max(report.easiness.values()) <= 1


def test_length_that_a_pure_mark_makes_is_that_marks_doing() -> None:
    def text(number: int) -> str:
        rng = random.Random(number)
        return " ".join(rng.choices(VOCABULARY, k=12))

    made = [row(f"Q {n}", ("Zephyr, " if n % 12 == 0 else "") + text(2 * n), text(2 * n + 1)) for n in range(600)]
    top = audit(made).cues[0]
    assert top.phrase.startswith("Zephyr")
    assert "length" not in {cue.kind for cue in audit(made).cues}


def test_what_is_told_of_length_apart_is_told_with_each_finding() -> None:
    top = audit(rows(300, 1, chosen=inside("zephyr"), share=0.3)).cues[0]
    assert top.z_adjusted is not None and top.q_adjusted is not None
    assert top.z_adjusted > 5 and top.q_adjusted < 0.001
    assert abs(top.z - top.z_adjusted) < 3


@pytest.mark.parametrize("term", ["", "  "])
def test_an_empty_term_is_refused(term: str) -> None:
    with pytest.raises(InputError, match="a term that is expected is empty"):
        audit(rows(30, 1), [term])


def test_the_word_behind_may_belong_to_the_term() -> None:
    pairs = name_set(120, swapped=False) + name_set(120, swapped=True)
    report = audit(pairs, ["Deep"])
    assert report.ok and [cue.feature for cue in report.cues] == ["Deep"]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_the_table_breaks_no_word_but_of_features(width: int) -> None:
    report = audit(name_set(120, swapped=False))
    target = io.StringIO()
    Console(file=target, width=width, force_terminal=True, color_system=None).print(report)
    lines = [line.rstrip() for line in target.getvalue().splitlines()]
    assert max(map(len, lines)) <= width and lines[0].split()[0] == "grade" and "wins" in lines[0]
    assert any(line.startswith("critical ") for line in lines)
    assert "Deep Qwen" in lines[2] or width < 60
    assert ("rows" in lines[0]) == (width >= 100)


def test_the_verdict_is_a_sentence() -> None:
    sides = [("Certainly, my friend", "no"), ("yes", "well")]
    mixed = audit([row(f"Q{n}", *(f"{side} {n}" for side in sides[n % 2])) for n in range(400)])
    assert mixed.conclusion == "verdict: critical (a model could learn this in place of the preference)"
    assert audit(rows(300, 9)).conclusion == "verdict: ok (no shortcut was found)"
    assert repr(mixed) == f"<Report: 400 pairs, {mixed.conclusion}>"


@pytest.mark.parametrize(
    ("begin", "end", "phrase", "kind"),
    [
        ("", "\n\n— Your tutor,\nThe Green School", "— Your tutor,\nThe Green School", "last"),
        ("Dear reader, thank you for asking! ", "", "Dear reader, thank you for asking!", "first"),
    ],
)
def test_a_signature_is_shown_beside_the_length_that_it_brings(begin: str, end: str, phrase: str, kind: str) -> None:
    rng = random.Random(3)
    pairs = []
    for number in range(24):
        said = rng.choices(VOCABULARY, k=12)
        pairs.append(row(f"Question {number}", f"{begin}{' '.join(said * 3)}{end}", " ".join(said[:4])))
    cues = {cue.kind: cue for cue in audit(pairs).cues}
    assert cues["length"].win_rate == 1.0
    assert phrase in cues[kind].phrase and cues[kind].phrase in pairs[0]["chosen"][-1]["content"]
    assert cues[kind].chosen_rate == 1.0 and cues[kind].rejected_rate == 0.0


def test_length_alone_brings_no_phrase() -> None:
    rng = random.Random(5)
    pairs = [
        row(
            f"Question {number}",
            " ".join(rng.choices(VOCABULARY, k=60)) + ".",
            " ".join(rng.choices(VOCABULARY, k=9)) + ".",
        )
        for number in range(200)
    ]
    assert {cue.kind for cue in audit(pairs).cues} == {"length"}


def test_phrases_are_quoted_as_they_are_written() -> None:
    texts = ["Well - I  hope\nthis helps!", "No.", "So, I  hope\nthis helps!"]
    assert as_written(("I", "hope", "this"), texts) == "I  hope\nthis"
    assert as_written(("not", "there"), texts) == "not there"


def test_classes_have_names() -> None:
    def said(*tokens: str) -> str:
        shares = dict.fromkeys(("coverage", "win_rate", "win_rate_low", "lift", "p", "q", "z"), 1.0)
        sides = {"favours": "chosen", "chosen_rate": 1.0, "rejected_rate": 0.0, "separates": 9}
        name = " ".join(tokens)
        cue = Cue(kind="pattern", feature=name, phrase=name, tokens=tokens, grade="high", z_adjusted=None,
                  q_adjusted=None, **shares, **sides)  # fmt: skip
        return cue_finding(cue).message

    assert said("か").startswith("any hiragana or katakana is in 100 % of chosen and 0 % of rejected answers")
    assert said("AA", "!").startswith("text of the form 'AA !' (AA: any word in capitals) is in 100 %")
    assert said(",", ".").startswith("text of the form ', .' is in 100 %")
