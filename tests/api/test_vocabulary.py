"""The codes that a shell completes are those of all checks, although they are read from the source."""

from pairforge.api import vocabulary
from pairforge.checks import RULES


def test_the_codes_read_from_the_source_are_those_of_the_checks() -> None:
    assert {*vocabulary.check_codes()} == {*RULES}
