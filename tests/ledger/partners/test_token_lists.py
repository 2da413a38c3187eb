"""How far lists of tokens are known, what leaves them, and the objects that told tokens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from ledger.database import connect
from ledger.partners.token_lists import (
    SMALL,
    RefusedToken,
    ShortTokenListError,
    TokenListTotals,
    begin_list,
    end_what_is_gone,
    note_in_list,
    note_listed,
    note_pushed,
    note_unlisted,
    token_list_state,
)
from ledger.partners.tokens import (
    LOOK_UP,
    PartnerToken,
    Whitelist,
    add_partner_tokens,
    asked_about,
    told_token,
)
from ledger.partners.told_objects import told_object
from ledger.persons.holders import token_holder
from ledger.persons.store import erase, find

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NL = "NL-TNM"


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as connection:
        yield connection


def card(number: int, **more: Any) -> PartnerToken:  # noqa: ANN401 - handed on
    token = PartnerToken(f"04{number:06X}", f"NL-TNM-C{number}", True, Whitelist.ALLOWED)
    return token._replace(**more)


def subject(connection: psycopg.Connection[Any], number: int) -> str:
    holder = token_holder(card(number).uid)
    assert holder is not None
    (found,) = find(connection, [holder]).values()
    return found.id


def is_valid(connection: psycopg.Connection[Any], number: int) -> bool:
    rows = connection.execute(LOOK_UP, asked_about(subject(connection, number))).fetchall()
    told = told_token(rows, AT)
    assert told is not None
    return told.is_valid


def test_a_list_is_known_as_of_when_it_was_asked_for(connection: psycopg.Connection[Any]) -> None:
    refused = RefusedToken(spot="[3].contract_id", why="is missing")
    totals = TokenListTotals(tokens=10, refused=1, refusals=[refused])

    note_listed(connection, NL, totals, began_at=AT, is_whole=True)
    note_listed(connection, NL, TokenListTotals(tokens=2), began_at=AT + HOUR, is_whole=False)
    note_unlisted(connection, NL, AT + 2 * HOUR, "no answer")

    state = token_list_state(connection, NL)
    assert state is not None
    assert (state.fresh_at, state.full_at, state.tried_at) == (AT + HOUR, AT, AT + 2 * HOUR)
    assert (state.tokens, state.refused, state.problem) == (2, 0, "no answer")


def test_a_push_makes_a_list_fresher_and_never_older(connection: psycopg.Connection[Any]) -> None:
    add_partner_tokens(connection, NL, [card(1)], at=AT)
    note_pushed(connection, NL, AT + HOUR)
    note_pushed(connection, NL, AT)

    rows = connection.execute(LOOK_UP, asked_about(subject(connection, 1))).fetchall()
    told = told_token(rows, AT)
    assert told is not None
    assert told.fresh_at == AT + HOUR
    assert token_list_state(connection, "DE-ABC") is None


def test_refusals_are_kept_by_spot_and_whose_they_are(connection: psycopg.Connection[Any]) -> None:
    refusals = [RefusedToken(spot=f"[{n}].uid", why="is missing", token="p-1") for n in range(99)]
    note_listed(
        connection,
        NL,
        TokenListTotals(tokens=99, refused=99, refusals=refusals),
        began_at=AT,
        is_whole=True,
    )

    state = token_list_state(connection, NL)
    assert state is not None
    assert (state.refused, list(state.refusals)) == (99, refusals[:50])


def test_what_a_whole_list_has_no_more_is_not_valid(connection: psycopg.Connection[Any]) -> None:
    add_partner_tokens(connection, NL, [card(n) for n in range(5)], at=AT)
    add_partner_tokens(connection, "DE-ABC", [card(4)], at=AT)

    begin_list(connection)
    note_in_list(connection, NL, [subject(connection, n) for n in range(3)])
    later = AT + HOUR
    # Pushed while the list was read: it need not be in it.
    add_partner_tokens(connection, NL, [card(3, contract_id="NL-TNM-NEW")], at=later + HOUR)
    gone = end_what_is_gone(connection, NL, began_at=later, at=later)

    assert gone == 1
    assert [is_valid(connection, n) for n in range(4)] == [True] * 4
    assert is_valid(connection, 4), "the other party's word holds"
    (last,) = connection.execute(
        "SELECT is_valid FROM partner_token WHERE subject = %s AND party = %s"
        " ORDER BY number DESC LIMIT 1",
        (subject(connection, 4), NL),
    ).fetchall()
    assert last == (False,)
    assert end_what_is_gone(connection, NL, began_at=later + 2 * HOUR, at=later + 2 * HOUR) == 1


def test_a_list_that_is_cut_short_takes_nothing_away(connection: psycopg.Connection[Any]) -> None:
    add_partner_tokens(connection, NL, [card(n) for n in range(2 * SMALL)], at=AT)
    begin_list(connection)
    note_in_list(connection, NL, [subject(connection, 0)])

    with pytest.raises(ShortTokenListError, match="lacks 39 valid ones"):
        end_what_is_gone(connection, NL, began_at=AT + HOUR, at=AT + HOUR)

    assert is_valid(connection, 5)


def test_the_object_comes_back_as_it_was_told_until_its_bearer_is_erased(
    connection: psycopg.Connection[Any],
) -> None:
    text = '{"issuer":"TheNewMotion","valid":true}'
    add_partner_tokens(connection, NL, [card(1, object=text, last_updated=AT)], at=AT)
    who = subject(connection, 1)

    told = told_object(connection, NL, who)

    assert told is not None
    assert (told.object, told.last_updated, told.contract_id) == (text, AT, "NL-TNM-C1")
    assert "04000001" not in repr(told)
    assert told_object(connection, "DE-ABC", who) is not None, "its bearer is known"
    erase(connection, [who])
    assert told_object(connection, NL, who) is None


def test_only_what_changes_something_makes_a_row(connection: psycopg.Connection[Any]) -> None:
    first = card(1, object='{"a":1}', last_updated=AT)
    assert add_partner_tokens(connection, NL, [first], at=AT) == 1
    assert add_partner_tokens(connection, NL, [first], at=AT + HOUR) == 0
    assert add_partner_tokens(connection, NL, [first._replace(object='{"a":2}')], at=AT) == 1
