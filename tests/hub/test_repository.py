"""The name of a repository of the Hub."""

from __future__ import annotations

import pytest

from pairforge.errors import InputError
from pairforge.hub.repository import check_repo

NO_IDS = ["../../x", "a/b/c", "x--y", "me/a--b", "me/名", "me/x\n", "m" * 97, "me/.x", "", "me/x.git"]


@pytest.mark.parametrize("repo", NO_IDS)
@pytest.mark.parametrize("owner", [True, False])
def test_what_is_no_id_is_refused_before_anything(repo: str, owner: bool) -> None:
    with pytest.raises(InputError, match="--repo"):
        check_repo(repo, owner=owner)
    check_repo("me/pairs", owner=owner)


def test_a_name_may_need_an_owner() -> None:
    check_repo("pairs", owner=False)
    with pytest.raises(InputError, match=r"--repo pairs has no owner .use YOUR-NAME/pairs"):
        check_repo("pairs")
