"""Secrets: each kind is found where it stands, and ordinary texts are left in peace."""

from __future__ import annotations

from typing import Any

import pytest

from pairforge import validate
from pairforge.checks.secrets import SecretChecker
from pairforge.types import Finding, Skip

SIDES = ("chosen", "rejected")

# Put together here, so that no scanner takes this file for a leak.
PLANTED = [
    "hf_" + "aB3" * 12,
    "sk-" + "proj-" + "Ab1_" * 10,
    "AKIA" + "Q7" * 8,
    "aws_secret_access_key = " + "aB3/" * 10,
    "ghp_" + "aB3" * 12,
    "github_pat_" + "aB3" * 20,
    "glpat-" + "aB3-" * 5,
    "AIza" + "aB3-d" * 7,
    "xoxb-" + "123456-" * 3,
    "sk_live_" + "aB3" * 8,
    "pypi-" + "AgEI" * 15,
    "npm_" + "aB3" * 12,
    "eyJ" + "hbGciOiJI" * 2 + ".eyJ" + "zdWIiOiIx" * 2 + "." + "SflKxwRJ" * 3,
    "hf_oauth_" + "eyJhbGciOiJF.eyJhIjoxfQ." + "abcdefghijk",
    "AccountKey=" + "aB3/" * 21 + "==",
    "SharedAccessKey=" + "aB3+" * 10 + "=",
    "postgres://app:" + "S3cretPass@10.0.0.1:5432/db",
    "mongodb+srv://:" + "S3cret-Pass@host.example",
    "r8_" + "aB3" * 12,
    "xai-" + "aB3" * 20,
    "gsk_" + "aB3" * 17,
    "nvapi-" + "aB3-" * 16,
    "tgp_v1_" + "aB3_" * 10,
    "pplx-" + "aB3" * 16,
    "sk_" + "a1b2" * 12,
    "lsv2_pt_" + "a1" * 16 + "_" + "b2" * 5,
    "dapi" + "a1" * 16,
    "dop_v1_" + "a1" * 32,
    "GOCSPX-" + "aB3-" * 7,
    "ya29." + "aB3_" * 12,
    "LTAI" + "5tAb" * 5,
    "hvs." + "aB3_" * 8,
    "glsa_" + "aB3d" * 8 + "_" + "a1b2c3d4",
    "dckr_pat_" + "aB3_" * 7,
    "sbp_" + "a1b2" * 10,
    "https://hooks.slack.com/services/" + "T0AB/B0CD/" + "aB3d" * 6,
    "https://discord.com/api/webhooks/" + "1" * 18 + "/" + "aB3_" * 16,
    "123456789:AA" + "aB3_" * 8,
    "SG." + "aB3_" * 5 + "." + "aB3-" * 11,
    "SK" + "a1" * 16,
    "key-" + "a1" * 16,
    "a1" * 16 + "-us12",
    "shpat_" + "a1" * 16,
    "whsec_" + "aB3/" * 8,
    "sntrys_" + "aB3=" * 12,
    "Authorization: " + "Bearer aB3" + "cD4e" * 8,
    "AGE-SECRET-KEY-1" + "QPZRY9X8GF" * 6,
    "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIE",
    "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
    "-----BEGIN " + "PGP PRIVATE KEY BLOCK-----",
    "-----BEGIN " + "ENCRYPTED PRIVATE KEY-----",
    "https://oauth2:" + "glpat-aB3-aB3-aB3-aB3-aB3-" + "@gitlab.com/a/b.git",
    "//registry.npmjs.org/:_authToken=" + "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "MISTRAL_API_KEY=" + "aB3d" * 8,
    "x-api-key: " + "a1" * 16,
    "SecretAccessKey = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzKEYY",
    "SNYK_TOKEN=" + "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "clientSecret: " + "aB3d" * 9,
    "Server=db;User Id=sa;Password=" + "Str0ngOne;",
    "rk_test_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "pat" + "aB3daB3daB3daB" + "." + "a1" * 32,
    "sl." + "aB3_" * 35,
    "EAACEdEose0cBA" + "aB3d" * 20,
    "pat-na1-" + "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "sk." + "eyJ1IjoiYWJjIiwiYSI6ImNrYWJjIn0." + "aB3d" * 5,
    "CLOJARS_" + "a1" * 30,
    "KGAT_" + "a1" * 16,
    "pul-" + "a1" * 20,
]
HARMLESS = [
    "The task-oriented risk-management-of-very-long-compound-words is fine.",
    "sk-learn-is-a-library-with-many-estimators",
    "hf_hub_download and hf_token are names; hf_short",
    "AKIA is a prefix. -----BEGIN PUBLIC KEY-----",
    "commit 3f2504e04f8911d39a0c0305e82c3301 of npm_modules",
    "我的密钥是秘密。",
    "postgres://user:password@localhost/db, https://ann@example.com, http://[::1]:8000/a@b, git@github.com:a/b",
    "postgres://user:<password>@host and redis://:$PASSWORD@host and https://x:***@host",
    "https://example.com/a/very/long/path/with-many-words-and-1234567890/in-it?sig=none&key-value=1#fragment",
    "sha256 " + "a1" * 32 + ", pa-per, sk_ip, key-board, the SK, dapitan",
    "Authorization: Bearer YOUR_TOKEN",
    "api_key = os.environ['OPENAI_API_KEY'], token: bert-base-uncased-2019-with-a-long-name, key: value",
    "the primary key = 3f2504e0-4f89-11d3-9a0c-0305e82c3301, of the token abcdefghijklmnopqrstuvwxyz0123456789",
    "Server=db;User Id=sa;Password=<yours>; PASSWORD=$PASSWORD",
]
PERSONAL = {
    "PF502": ["mike.hansen@robertlight.com", "我的邮箱是lihua1987@qq.com。", "<a href='mailto: j.roe@uni-ulm.de'>"],
    "PF503": [
        "(215) 204-3120",
        "her number is 932-682-1067.",
        "+49 30 90182736",
        "电话13901730456，找小王",
        "tel. 030 9018 2736",
    ],
}
NOBODY = [
    "ann@example.com, support@hp.com, your.name@gmail.com, noreply@x.org, a@b.co, git@github.com:a/b, x@1.2, i@2x.png",
    "me@localhost, user@host.local, @ann, https://medium.com/@ann.smith/a-b, postgres://a:b@db.host.com/x",
    "1-800-273-8255, 555-0123, (212) 555-0123, 123-456-7890, 000-000-0000, +1 234 567 8900, 400-123-4567",
    "472547338 + 960397912423686 = 960870459761024; 2024-10-11 10:12:13; 1700000000000; 0.8333333333333334",
    "ISBN 978-3-16-148410-0, 192.168.100.200, 3.14159265358979, 5,000,000 (+5038 x 306), doc/13901730456.html",
]


def scan(*rows: Any) -> list[Finding]:
    checker = SecretChecker()
    return [finding for index, row in enumerate(rows) for finding in checker.see(index, row)]


@pytest.mark.parametrize("secret", PLANTED)
@pytest.mark.parametrize("frame", ["{}", "my key is {}, keep it", "密钥是{}。", '{{"key":"{}"}}'])
def test_a_secret_is_found_where_it_stands(secret: str, frame: str) -> None:
    row = {
        "chosen": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": frame.format(secret)}],
        "a/b": "x",
    }
    [finding] = scan({"a": 1}, row)
    assert (finding.severity, finding.row, finding.path) == ("error", 1, "/chosen/1/content")
    assert secret not in finding.message


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_texts_are_left_in_peace(text: str) -> None:
    assert scan({"content": text, text: None}) == []


def test_keys_and_settings_are_looked_through() -> None:
    found = scan({"a/b": [PLANTED[0]]}, {PLANTED[1]: 1})
    found += SecretChecker().see(None, {"settings": {"system": PLANTED[2]}})
    assert [(finding.row, finding.path) for finding in found] == [(0, "/a~1b/0"), (1, ""), (None, "/settings/system")]


@pytest.mark.parametrize(("code", "text"), [(code, text) for code, texts in PERSONAL.items() for text in texts])
def test_what_may_be_a_person_s_is_warned_of(code: str, text: str) -> None:
    [finding] = scan({"chosen": [{"content": f"Yes: {text}"}]})
    assert (finding.code, finding.severity, finding.path) == (code, "warning", "/chosen/0/content")
    assert text not in finding.message


@pytest.mark.parametrize("text", NOBODY)
def test_what_is_nobody_s_is_left_in_peace(text: str) -> None:
    assert scan({"content": text}) == []


def test_validate_and_the_codes_decide_what_is_looked_for() -> None:
    turns = {side: [{"role": "user", "content": "hi"}, {"role": "assistant", "content": side}] for side in SIDES}
    rows = [turns | {"note": PLANTED[0]}, turns | {"chosen": "no list", "note": PLANTED[0] + " j.roe@uni-ulm.de"}]
    assert [one.row for one in validate(rows) if one.code == "PF501"] == [0, 1]
    assert [one.row for one in validate(rows) if one.code == "PF502"] == [1]
    assert "PF501" not in validate(rows, ignore=["PF5"]).counts
    assert {one.code for one in validate(rows, select=["PF5"])} == {"PF501", "PF502"}
    assert [one.code for one in SecretChecker(["PF502"]).see(1, rows[1])] == ["PF502"]
    assert SecretChecker().see(0, Skip("failed", PLANTED[0])) == []
    kto = {"prompt": "hi", "completion": PLANTED[0], "label": True}
    assert validate([kto, kto | {"label": False}]).counts["PF501"] == 2
