"""The pocket model and its tokenizer, for the tests of what asks a model in training."""

from typing import Any

import pytest
from support import pocket as pocket_tokenizer
from support import pocket_model


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return pocket_tokenizer()


@pytest.fixture(scope="module")
def pocket() -> Any:
    return pocket_model()
