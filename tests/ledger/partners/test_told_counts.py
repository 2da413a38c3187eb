"""Bounds of what partners tell: N pass and N + 1 do not, each day anew, each partner by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from deploy.postgres import migrate
from deploy.settings import BadSettingError, Settings
from ledger.database import connect
from ledger.partners.bounds import (
    A_DAY,
    DEFAULTS,
    BadBoundError,
    Bound,
    PartnerBounds,
    TooMuchToldError,
    read_bounds,
)
from ledger.partners.tokens import PartnerToken, Whitelist, add_listed_tokens, add_partner_tokens
from ledger.partners.told_counts import ToldCounts, note_refused, told_counts
from ledger.persons.holders import token_holder

AT = datetime(2026, 3, 2, 23, 59, 30, tzinfo=UTC)
NL, DE = "NL-TNM", "DE-ABC"
THREE = ToldCounts(PartnerBounds(dict.fromkeys(Bound, 3)))


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as connection:
        yield connection


def counted(connection: psycopg.Connection[Any], at: datetime = AT) -> dict[Bound, int]:
    return {each.bound: each.counted for each in told_counts(connection, NL, at)}


@pytest.mark.parametrize("bound", Bound)
def test_as_many_as_the_bound_pass_and_one_more_does_not(
    connection: psycopg.Connection[Any], bound: Bound
) -> None:
    THREE.add_now(connection, NL, {bound: 2}, AT)
    THREE.add_now(connection, NL, {bound: 1}, AT)
    with pytest.raises(TooMuchToldError) as refused, connection.transaction():
        THREE.add_now(connection, NL, {bound: 1}, AT)
    THREE.add_now(connection, DE, {bound: 3}, AT)

    assert counted(connection) == {bound: 3}, "what was refused is not counted"
    assert refused.value.reason == f"too_many_{bound}"
    assert str(refused.value).startswith(f"too_many_{bound}: of NL-TNM at most 3")
    assert (refused.value.wait_s == 30) == (bound in A_DAY)
    assert THREE.room_now(connection, NL, [bound], AT) == {bound: 0}
    assert THREE.room_now(connection, "BE-BEC", [bound], AT) == {bound: 3}


def test_what_grows_no_more_passes_also_beyond_a_bound_that_was_lowered(
    connection: psycopg.Connection[Any],
) -> None:
    ToldCounts(PartnerBounds()).add_now(connection, NL, {Bound.EVSES: 9, Bound.TARIFFS: 2}, AT)

    THREE.add_now(connection, NL, {Bound.EVSES: 0}, AT)
    THREE.add_now(connection, NL, {Bound.EVSES: -1, Bound.TARIFFS: 1}, AT)

    assert counted(connection) == {Bound.EVSES: 8, Bound.TARIFFS: 3}
    with pytest.raises(TooMuchToldError, match="too_many_evses"):
        THREE.add_now(connection, NL, {Bound.EVSES: 1}, AT)


def test_each_day_begins_anew_and_a_clock_behind_takes_nothing_back(
    connection: psycopg.Connection[Any],
) -> None:
    tomorrow = AT + timedelta(minutes=1)
    THREE.add_now(connection, NL, {Bound.SESSIONS: 3, Bound.TOKENS: 3}, AT)

    assert counted(connection, tomorrow) == {Bound.SESSIONS: 0, Bound.TOKENS: 3}
    assert THREE.room_now(connection, NL, [Bound.SESSIONS, Bound.TOKENS], tomorrow) == {
        Bound.SESSIONS: 3,
        Bound.TOKENS: 0,
    }
    THREE.add_now(connection, NL, {Bound.SESSIONS: 2}, tomorrow)
    THREE.add_now(connection, NL, {Bound.SESSIONS: 1}, AT)
    with pytest.raises(TooMuchToldError):
        THREE.add_now(connection, NL, {Bound.SESSIONS: 1}, tomorrow)


def test_refusals_are_counted_beside_what_is_there(connection: psycopg.Connection[Any]) -> None:
    note_refused(connection, NL, Bound.SESSIONS, AT)
    THREE.add_now(connection, NL, {Bound.SESSIONS: 1}, AT)
    note_refused(connection, NL, Bound.SESSIONS, AT + timedelta(hours=1), times=4)

    [found] = told_counts(connection, NL, AT)
    assert (found.counted, *found.refusals) == (1, 5, AT + timedelta(hours=1))


def test_tokens_are_counted_once_each_and_the_first_that_fit_are_kept(
    connection: psycopg.Connection[Any],
) -> None:
    cards = [PartnerToken(f"04{n}", f"C{n}", True, Whitelist.ALWAYS) for n in range(4)]
    holders = [holder for each in cards if (holder := token_holder(each.uid)) is not None]
    bounds = ToldCounts(PartnerBounds({Bound.TOKENS: 3}))

    page = list(zip(holders, cards, strict=True))
    some = add_listed_tokens(connection, NL, page, at=AT, told=bounds)
    again = add_partner_tokens(connection, NL, cards[:3], at=AT, told=bounds)
    changed = add_partner_tokens(
        connection, NL, [cards[2]._replace(is_valid=False)], at=AT, told=bounds
    )
    with pytest.raises(TooMuchToldError, match="too_many_tokens"):
        add_partner_tokens(connection, NL, [cards[3]], at=AT, told=bounds)

    assert (some.added, again, changed) == (3, 0, 1)
    assert {name: error.reason for name, error in some.refused.items()} == {
        (str(holders[3].kind), holders[3].name): "too_many_tokens"
    }
    assert counted(connection) == {Bound.TOKENS: 3, Bound.TOKEN_CHANGES: 4}
    [(subjects,)] = connection.execute("SELECT count(*) FROM subject").fetchall()
    assert subjects == 3, "who is refused is nobody here"


def test_so_many_tokens_may_change_a_day(connection: psycopg.Connection[Any]) -> None:
    card = PartnerToken("04AA", "C", True, Whitelist.ALWAYS)
    for number in range(3):
        changed = [card._replace(contract_id=f"C{number}")]
        assert add_partner_tokens(connection, NL, changed, at=AT, told=THREE) == 1
    with pytest.raises(TooMuchToldError, match="too_many_token_changes") as refused:
        add_partner_tokens(connection, NL, [card], at=AT, told=THREE)
    assert refused.value.wait_s == 30
    assert add_partner_tokens(connection, NL, [card], at=AT + timedelta(minutes=1), told=THREE)


def test_a_large_partner_meets_no_bound() -> None:
    of_one = {Bound.SESSION_PERIODS, Bound.TARIFF_CHANGES}
    least = {
        Bound.LOCATIONS: 100_000,
        Bound.EVSES: 500_000,
        Bound.CONNECTORS: 1_000_000,
        Bound.TOKENS: 1_000_000,
        Bound.TARIFFS: 100_000,
        # A price for each quarter of an hour; a session of a month with periods of ten minutes.
        Bound.TARIFF_CHANGES: 96 + 8,
        Bound.SESSION_PERIODS: 31 * 24 * 6,
    }
    assert all(DEFAULTS[bound] > number for bound, number in least.items())
    assert set(least) >= of_one
    assert set(DEFAULTS) == set(Bound)


@pytest.mark.parametrize(
    "text",
    ["places=3", "tokens", "tokens=", "tokens=0", "tokens=-1", "tokens=1.5", "tokens=1,tokens=2",
     "tokens=٣", f"tokens={10**15 + 1}"],
)  # fmt: skip
def test_a_bound_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadBoundError):
        read_bounds(text)
    with pytest.raises(BadSettingError, match="roaming_bounds"):
        Settings(roaming_bounds=text)


def test_bounds_are_read_and_what_is_not_named_stays() -> None:
    bounds = read_bounds(" tokens = 7, sessions=1,")

    assert (bounds.most(Bound.TOKENS), bounds.most(Bound.SESSIONS)) == (7, 1)
    assert bounds.most(Bound.LOCATIONS) == DEFAULTS[Bound.LOCATIONS]


def test_what_was_told_before_there_were_bounds_is_counted(
    connection: psycopg.Connection[Any],
) -> None:
    evses = '[{"connectors": [{}, {}]}, {"connectors": [{}]}, {}]'
    for number, body in enumerate((f'{{"evses": {evses}}}', "{}", '{"evses": null}')):
        connection.execute(
            "INSERT INTO partner_location VALUES (%s, %s, now(), now(), NULL, %s, '', 0, 0, 0)",
            (NL, f"l{number}", body.encode()),
        )
    for number in (1, 2):
        connection.execute(
            "INSERT INTO partner_tariff VALUES (%s, 't', %s, %s, %s, '2.2.1', 'x', 'x', false)",
            (NL, number, AT, AT),
        )
    card = PartnerToken("04AA", "C", True, Whitelist.ALWAYS)
    add_partner_tokens(connection, NL, [card, card._replace(uid="04BB")], at=AT)
    add_partner_tokens(connection, NL, [card._replace(is_valid=False)], at=AT)
    connection.execute("DROP TABLE told_count, partner_tariff_again")
    script = (migrate.MIGRATIONS / "inputs" / "0110_told_counts.sql").read_text("utf-8")
    connection.execute(script.encode())

    assert counted(connection) == {
        Bound.LOCATIONS: 3,
        Bound.EVSES: 3,
        Bound.CONNECTORS: 3,
        Bound.LOCATION_BYTES: len(f'{{"evses": {evses}}}') + 2 + 15,
        Bound.TARIFFS: 1,
        Bound.TOKENS: 2,
    }
