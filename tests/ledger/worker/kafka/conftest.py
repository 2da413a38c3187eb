"""What groups of Faust's leave open is let go of where they ran."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nothing_left_to_others() -> Iterator[None]:
    """Let go of the connections that a group's end leaves to the end of its process.

    Any later test of this process would be blamed for them.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
