"""One spelling for a token."""

from __future__ import annotations

import pytest

from ledger.facts.token_uid import NO_HABITS, TokenHabits, canonical_token


@pytest.mark.parametrize(
    ("raw", "habits", "token"),
    [
        pytest.param(" F6CA0CC5 ", NO_HABITS, "f6ca0cc5", id="case and blanks around do not count"),
        pytest.param("F6 CA", NO_HABITS, "f6 ca", id="blanks inside count unless declared"),
        pytest.param("20:69-C0", TokenHabits(":-"), "2069c0", id="declared signs are left out"),
        pytest.param("UNDEFINED", NO_HABITS, None, id="a placeholder is no token"),
        pytest.param("  ", NO_HABITS, None, id="nothing is no token"),
        pytest.param(None, NO_HABITS, None, id="no token is no token"),
        pytest.param(
            "1234_SERIAL-1", TokenHabits("", "_serial"), "1234", id="nor is a declared suffix"
        ),
        pytest.param(
            "_serial", TokenHabits("", "_serial"), "_serial", id="a suffix alone is a token"
        ),
        pytest.param("12 _S", TokenHabits(" ", "_s"), "12", id="both habits"),
    ],
)
def test_canonical_token(raw: str | None, habits: TokenHabits, token: str | None) -> None:
    assert canonical_token(raw, habits) == token
