"""One spelling for a token."""

from __future__ import annotations

import pytest

from ledger.facts.token_uid import canonical_token


@pytest.mark.parametrize(
    ("raw", "ignored", "token"),
    [
        pytest.param(" F6CA0CC5 ", "", "f6ca0cc5", id="case and blanks around do not count"),
        pytest.param("F6 CA", "", "f6 ca", id="blanks inside count unless declared"),
        pytest.param("20:69-C0", ":-", "2069c0", id="declared signs are left out"),
        pytest.param("UNDEFINED", "", None, id="a placeholder is no token"),
        pytest.param("  ", "", None, id="nothing is no token"),
        pytest.param(None, "", None, id="no token is no token"),
    ],
)
def test_canonical_token(raw: str | None, ignored: str, token: str | None) -> None:
    assert canonical_token(raw, ignored=ignored) == token
