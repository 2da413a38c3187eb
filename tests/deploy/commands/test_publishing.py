"""What `wattledger tariff publish` says that it did."""

from __future__ import annotations

import pytest

from deploy.commands.tariffs.publishing import done_sentence


@pytest.mark.parametrize(
    ("published", "assigned", "files", "said"),
    [
        pytest.param(1, 0, 1, "1 of 1 published.", id="a new version"),
        pytest.param(1, 2, 1, "1 of 1 published; 2 assigned.", id="and where it holds"),
        pytest.param(0, 1, 1, "1 assigned; 1 held already, as in the file.", id="that alone"),
        pytest.param(1, 0, 3, "1 of 3 published; 2 held already, as in the file.", id="some"),
        pytest.param(0, 0, 2, "Nothing changes: all of it holds already, as it is.", id="nothing"),
    ],
)
def test_publishing_says_all_that_it_did(
    published: int, assigned: int, files: int, said: str
) -> None:
    assert done_sentence(published, assigned, files, "") == said
