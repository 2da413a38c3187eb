"""What a person makes of a held session: a rating as it is, or nothing to pay; never a guess."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from ledger.facts.flags import Flag
from ledger.rating.decide import release, write_off
from ledger.rating.decisions import DecisionKind, SessionHeld, SessionRated, kind_of
from tests.depot import declared, moment_of, session


def test_a_release_rates_the_session_as_it_is_and_names_who_and_why() -> None:
    charging = session(blockers=[Flag.SEQ_GAP])

    decision = release(
        charging, declared(), moment=moment_of(charging), by="mia", reason="meter read on site"
    )

    assert isinstance(decision, SessionRated)
    assert kind_of(decision) is DecisionKind.RELEASED
    assert decision.flags == (Flag.SEQ_GAP,)
    assert decision.release is not None
    assert (decision.release.by, decision.release.reason) == ("mia", "meter read on site")


def test_an_open_session_is_released_to_its_last_sign() -> None:
    charging = session(blockers=[Flag.STOP_LOST])
    open_ = msgspec.structs.replace(
        charging,
        ended_at=None,
        provisional_ended_at=charging.ended_at,
    )

    decision = release(open_, declared(), moment=moment_of(open_), by="mia", reason="seen")

    assert isinstance(decision, SessionRated)
    assert decision.ended_at == charging.ended_at


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ("started_at", "start_unknown"),
        ("energy_wh", "energy_unknown"),
        ("token_uid", "token_missing"),
        ("ended_at", "pricing_refused"),
    ],
)
def test_what_cannot_be_priced_stays_held_even_if_released(missing: str, code: str) -> None:
    charging = msgspec.structs.replace(session(blockers=["x"]), **{missing: None})

    decision = release(charging, declared(), moment=moment_of(charging), by="mia", reason="please")

    assert isinstance(decision, SessionHeld)
    assert [reason.code for reason in decision.reasons] == [code]


def test_a_write_off_keeps_the_energy_and_who_gave_it_away() -> None:
    charging = session(blockers=[Flag.SEQ_GAP])

    decision = write_off(
        charging, declared(), moment=moment_of(charging), by="mia", reason="test drive"
    )

    assert kind_of(decision) is DecisionKind.WRITTEN_OFF
    assert (decision.energy_wh, decision.by, decision.reason) == (
        Decimal(10000),
        "mia",
        "test drive",
    )
