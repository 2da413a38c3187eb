"""Whatever a partner writes in place of whatever, it is judged, in words that a table holds."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.log.envelope import PartnerMessage
from ledger.log.event_log import Position
from roaming_ocpi.incoming.store import encoded
from roaming_ocpi.incoming.told import CDRS, SESSIONS, MessageReader, UnfitObjectError
from roaming_ocpi.incoming.verdicts.english import ENGLISH
from roaming_ocpi.incoming.verdicts.judging import judge_cdr
from roaming_ocpi.incoming.verdicts.known import CdrSurroundings
from roaming_ocpi.incoming.verdicts.repricing import Repricer
from tariffs.ocpi.documents import OcpiError
from tests.roaming_ocpi.incoming.partner_stories import (
    CAME,
    CDR,
    PARTY,
    SESSION,
    credit_of,
    old_cdr_of,
)

ODD: list[Any] = [
    *(None, True, 0, -1, "", "\0", "x" * 600, "2026-03-02T12:00:00Z", "0001-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59Z", "2026-03-02T14:00:00+23:59", "-1", "1e999999999", "NaN", "Europe/Oz"),
    *([], {}, [[]], [{}], {"id": 7}, 1e300, 10**50, -(10**12), 0.1, "EUR", "JPY", "KWD", "ENERGY"),
]
READER, REPRICER = MessageReader(), Repricer()


def spots_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """Return the paths of everything in *value*."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        if isinstance(each, dict | list):
            found += spots_of(each, (*path, key))
        else:
            found.append((*path, key))
    return found


def broken(body: dict[str, Any], random: Random) -> str:
    """Return *body* with something else in some places."""
    made = copy.deepcopy(body)
    for _ in range(random.choice((1, 1, 2, 4))):
        *outer, last = random.choice(spots_of(made))
        spot: Any = made
        for key in outer:
            spot = spot[key]
        spot[last] = copy.deepcopy(random.choice(ODD))
    return json.dumps(made)


def message(text: str, what: str = CDRS) -> PartnerMessage:
    return PartnerMessage(received_at=CAME, party=PARTY, what=what, body=text)


@pytest.mark.parametrize("body", [CDR, credit_of(), old_cdr_of()], ids=["cdr", "credit", "old"])
@settings(deadline=None, max_examples=400)
@given(seed=st.integers(0, 1 << 48))
def test_a_broken_cdr_is_judged_or_refused_by_name(body: dict[str, Any], seed: int) -> None:
    text = broken(body, Random(seed))
    try:
        told = READER.cdr(message(text), Position(0, 0, 0))
    except (OcpiError, UnfitObjectError):
        return

    found = judge_cdr(told, CdrSurroundings(takes_negative=True), REPRICER)

    assert "\\u0000" not in encoded(found.codes)
    assert all(ENGLISH.words(each) for each in found.codes)
    assert found == judge_cdr(told, CdrSurroundings(takes_negative=True), Repricer())


@settings(deadline=None, max_examples=300)
@given(seed=st.integers(0, 1 << 48))
def test_a_broken_session_is_read_or_refused_by_name(seed: int) -> None:
    text = broken(SESSION, Random(seed))
    try:
        told = READER.session(message(text, SESSIONS), Position(0, 0, 0))
    except (OcpiError, UnfitObjectError):
        return

    assert all("\0" not in each for each in told.said.values() if isinstance(each, str))
