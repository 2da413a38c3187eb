"""Ids for partners: bounded, of OCPI's characters, and never two things under one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roaming_ocpi.wire.ids import (
    connector_id,
    evse_id,
    evse_uid,
    location_id,
    wire_cdr_id,
    wire_session_id,
)

KEYS = st.text(min_size=1, max_size=60)
EVSE_ID = re.compile(r"[A-Z]{2}\*[A-Z0-9]{3}\*E[A-Z0-9][A-Z0-9*]{0,30}")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param(location_id("harbour"), "harbour", id="a site's key stays"),
        pytest.param(evse_uid("HB-07", 1), "HB-07*1", id="a station's name stays"),
        pytest.param(evse_id("DE-HBC", "HB-07", 1), "DE*HBC*EHB*07*1", id="by eMI3"),
        pytest.param(evse_uid("HB-07", None), "#NA", id="no EVSE was named"),
        pytest.param(evse_id("DE-HBC", "HB-07", None), "#NA", id="nor its id"),
        pytest.param(connector_id(2), "2", id="a connector by its number"),
        pytest.param(connector_id(None), "#NA", id="no connector was named"),
    ],
)
def test_what_can_stand_for_itself_does(ours: str, theirs: str) -> None:
    assert ours == theirs


@given(KEYS, KEYS, st.integers(0, 10**9), st.integers(0, 10**9))
def test_two_places_never_have_one_id_however_case_is_read(
    one: str, other: str, evse: int, next_evse: int
) -> None:
    if one != other:
        assert location_id(one).lower() != location_id(other).lower()
    if (one, evse) != (other, next_evse):
        assert evse_uid(one, evse).lower() != evse_uid(other, next_evse).lower()
        assert evse_id("DE-HBC", one, evse) != evse_id("DE-HBC", other, next_evse)


@given(KEYS, st.integers(0, 10**12))
def test_every_id_fits_and_has_the_characters_that_ids_have(key: str, evse: int) -> None:
    for made in (location_id(key), evse_uid(key, evse), wire_session_id(key)):
        assert 1 <= len(made) <= 36
        assert re.fullmatch(r"[A-Za-z0-9._*-]+", made)
    assert EVSE_ID.fullmatch(evse_id("DE-HBC", key, evse))


def test_a_cdr_s_id_is_no_transaction_s_number_that_begins_anew() -> None:
    """Fault 12 of peers: ids of 1.6 restarted at 1 per station and served as ids of CDRs."""
    sessions = [f"HB-0{station}/1/2026030{day}T070000Z" for station in (1, 2) for day in (1, 2)]
    made = [
        wire_cdr_id(session, revision, kind)
        for session in sessions
        for revision in (1, 2)
        for kind in ("cdr", "credit")
    ]

    assert len({each.lower() for each in made}) == len(made) == 16
    assert all(len(each) <= 36 for each in made)
    assert made == [
        wire_cdr_id(session, revision, kind)
        for session in sessions
        for revision in (1, 2)
        for kind in ("cdr", "credit")
    ]
