"""A person lets a token charge or not: what is declared then, and from when on."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from deploy.running.opening import prepare
from deploy.settings import Settings
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Declaration, Kind
from ledger.declared.store import LOCK, InvalidDeclarationError, declare, load_declarations
from ledger.desk.apply import apply_files
from ledger.desk.tokens import (
    NamelessTokenError,
    PartnerGroupError,
    PartnerTokenError,
    TokenChanges,
    TokenStanding,
    let_token,
)
from ledger.log.envelope import Declared, decode_lines
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.tokens import Token, TokenKind, TokenStatus
from ledger.partners.tokens import PartnerToken, Whitelist, add_partner_tokens
from ledger.persons.holders import token_holder
from ledger.persons.store import find

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
SECOND = timedelta(seconds=1)
ACCEPTED, BLOCKED, EXPIRED = TokenStanding
WAITS = """
SELECT FROM pg_locks WHERE relation = 'declaration'::regclass AND NOT granted
"""
FILE = """
customers:
  ada: {name: Ada}
tokens:
  04A1: {customer: ada, group: residents, payment_method: credit_card}
  04PARENT: {}
  04CHILD: {parent: 04PARENT}
"""


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def database_with_tokens(database: str, tmp_path: Path) -> str:
    prepare(database, Settings(data=tmp_path, partitions=2))
    with connect(database) as connection, PostgresEventLog(database) as log:
        files = [(FILE, "tokens.yaml")]
        apply_files(connection, files, log=log, by="a test", at=NOON - timedelta(days=1))
    return database


def let(
    dsn: str,
    uid: str,
    standing: TokenStanding,
    at: datetime = NOON,
    *,
    group: str | UnsetType | None = UNSET,
) -> str | None:
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        wanted = TokenChanges(standing, group)
        return let_token(connection, uid, wanted, log=log, by="ann", at=at)


def declared(dsn: str, uid: str) -> tuple[Declaration, ...]:
    holder = token_holder(uid)
    assert holder is not None
    with connect(dsn) as connection:
        [subject] = find(connection, [holder]).values()
        return load_declarations(connection).history(Kind.TOKEN, subject.id)


def token(dsn: str, uid: str, at: datetime) -> Token | None:
    history = [each for each in declared(dsn, uid) if each.valid_from <= at]
    found = history[-1].entity if history else None
    assert found is None or isinstance(found, Token)
    return found


def told(dsn: str, uid: str, *, is_valid: bool = True) -> None:
    with connect(dsn) as connection:
        tokens = [PartnerToken(uid, "NL-TNM-C1", is_valid, Whitelist.ALLOWED)]
        add_partner_tokens(connection, "NL-TNM", tokens, at=NOON - timedelta(hours=1))


def test_a_declared_token_is_blocked_from_now_on_and_stays_whose_it_is(
    database_with_tokens: str,
) -> None:
    dsn = database_with_tokens
    before = token(dsn, "04a1", NOON - SECOND)
    let(dsn, " 04a1", BLOCKED)
    let(dsn, "04A1", BLOCKED, LATER)

    after = token(dsn, "04a1", NOON)
    assert before is not None
    assert after is not None
    assert token(dsn, "04a1", NOON - SECOND) == before
    assert (before.status, after.status) == (TokenStatus.ACCEPTED, TokenStatus.BLOCKED)
    assert (after.customer, after.group) == (before.customer, before.group)
    assert after.payment_method == "credit_card"
    assert len(declared(dsn, "04a1")) == 2, "what is so already is not declared again"


def test_an_expired_token_expires_at_that_very_moment_and_may_be_accepted_again(
    database_with_tokens: str,
) -> None:
    dsn = database_with_tokens
    let(dsn, "04A1", EXPIRED)
    expired = token(dsn, "04a1", NOON)
    let(dsn, "04A1", EXPIRED, LATER)
    let(dsn, "04A1", ACCEPTED, LATER)

    accepted = token(dsn, "04a1", LATER)
    assert expired is not None
    assert (expired.expires_at, expired.status) == (NOON, TokenStatus.ACCEPTED)
    assert [expired.has_expired(at) for at in (NOON - SECOND, NOON)] == [False, True]
    assert accepted is not None
    assert accepted.expires_at is None
    assert len(declared(dsn, "04a1")) == 3


@pytest.mark.parametrize(
    ("standing", "since"), [(ACCEPTED, BEGINNING), (BLOCKED, NOON), (EXPIRED, NOON)]
)
def test_a_token_that_nobody_knows_gets_known(
    database_with_tokens: str, standing: TokenStanding, since: datetime
) -> None:
    let(database_with_tokens, "04Stranger", standing)

    [found] = declared(database_with_tokens, "04stranger")
    assert found.valid_from == since
    assert isinstance(found.entity, Token)
    assert (found.entity.kind, found.entity.customer) == (TokenKind.OWN, None)


def test_every_partition_is_told_of_it(database_with_tokens: str) -> None:
    dsn = database_with_tokens
    let(dsn, "04A1", BLOCKED)

    [*_, last] = declared(dsn, "04A1")
    with PostgresEventLog(dsn) as log:
        for partition in range(2):
            [*_, record] = log.read(partition, 0, records=10)
            assert decode_lines(record.payload) == [
                Declared(received_at=NOON, version=last.version)
            ]


def test_a_partners_token_is_blocked_as_its_and_its_word_holds_again(
    database_with_tokens: str,
) -> None:
    dsn = database_with_tokens
    told(dsn, "04ROAM")
    let(dsn, "04ROAM", ACCEPTED)
    assert declared(dsn, "04ROAM") == ()

    let(dsn, "04ROAM", BLOCKED)
    blocked = token(dsn, "04ROAM", NOON)
    assert blocked == Token(kind=TokenKind.ROAMING, partner="NL-TNM", status=TokenStatus.BLOCKED)
    let(dsn, "04ROAM", ACCEPTED, LATER)
    assert token(dsn, "04ROAM", LATER) is None


def test_nobody_else_accepts_what_its_partner_does_not(database_with_tokens: str) -> None:
    told(database_with_tokens, "04ROAM", is_valid=False)

    with pytest.raises(PartnerTokenError, match="NL-TNM"):
        let(database_with_tokens, "04ROAM", ACCEPTED)
    assert declared(database_with_tokens, "04ROAM") == ()


def test_what_names_nobody_is_refused(database_with_tokens: str) -> None:
    with pytest.raises(NamelessTokenError):
        let(database_with_tokens, "  ", ACCEPTED)


def test_a_partners_token_that_others_hang_on_is_not_withdrawn(
    database_with_tokens: str,
) -> None:
    dsn = database_with_tokens
    told(dsn, "04ROAM")
    let(dsn, "04ROAM", BLOCKED)
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        files = [("tokens: {04KID: {parent: 04ROAM}}", "more.yaml")]
        apply_files(connection, files, log=log, by="a test", at=NOON)

    with pytest.raises(InvalidDeclarationError):
        let(dsn, "04ROAM", ACCEPTED, LATER)


def test_a_token_is_put_in_a_group_and_taken_out_of_it(database_with_tokens: str) -> None:
    dsn = database_with_tokens
    given = [
        let(dsn, "04A1", ACCEPTED, group="04parent"),
        let(dsn, "04A1", BLOCKED, NOON + SECOND),
        let(dsn, "04A1", ACCEPTED, NOON + 2 * SECOND, group=None),
    ]

    # As it was declared, however it is spelt here.
    assert given == ["04PARENT", "04PARENT", None]
    first, blocked, last = (token(dsn, "04A1", NOON + n * SECOND) for n in range(3))
    assert first is not None
    assert blocked is not None
    assert first.parent == blocked.parent is not None
    assert (blocked.status, blocked.group) == (TokenStatus.BLOCKED, "residents")
    assert last is not None
    assert (last.parent, last.group, last.payment_method) == (None, "residents", "credit_card")


def test_a_group_that_nobody_declared_is_a_name_and_no_card(database_with_tokens: str) -> None:
    dsn = database_with_tokens

    assert let(dsn, "04NEW", ACCEPTED, group="Group-1") == "Group-1"
    assert let(dsn, "04OTHER", BLOCKED, group="GROUP-1") == "Group-1"

    (group,) = declared(dsn, "group-1")
    assert isinstance(group.entity, Token)
    assert (group.entity.status, group.valid_from) == (TokenStatus.BLOCKED, BEGINNING)
    # A person may let it charge all the same, and it stays a group.
    let(dsn, "Group-1", ACCEPTED, LATER)
    assert let(dsn, "04NEW", BLOCKED, LATER) == "Group-1"


def test_a_token_may_be_its_own_group(database_with_tokens: str) -> None:
    dsn = database_with_tokens

    assert let(dsn, "04OWN", ACCEPTED, group="04own") == "04OWN"
    assert len(declared(dsn, "04OWN")) == 1


def test_no_group_is_called_as_no_token_is(database_with_tokens: str) -> None:
    with pytest.raises(NamelessTokenError):
        let(database_with_tokens, "04A1", ACCEPTED, group=" ")


def test_a_partners_token_that_charges_by_its_word_is_in_no_group(
    database_with_tokens: str,
) -> None:
    dsn = database_with_tokens
    told(dsn, "04ROAM")

    with pytest.raises(PartnerGroupError):
        let(dsn, "04ROAM", ACCEPTED, group="04PARENT")
    assert let(dsn, "04ROAM", ACCEPTED, group=None) is None
    assert let(dsn, "04ROAM", BLOCKED, group="04PARENT") == "04PARENT"


def test_what_another_one_declares_meanwhile_is_kept(database_with_tokens: str) -> None:
    dsn = database_with_tokens
    let(dsn, "04A1", ACCEPTED)
    subject = declared(dsn, "04a1")[0].key
    before = token(dsn, "04a1", NOON)
    assert before is not None
    limited = replace(before, expires_at=NOON + timedelta(days=9))
    change = Change(kind=Kind.TOKEN, key=subject, entity=limited, valid_from=NOON)
    with connect(dsn) as connection, ThreadPoolExecutor(1) as pool:
        with connection.transaction():
            connection.execute(LOCK)
            blocking = pool.submit(let, dsn, "04A1", BLOCKED, LATER)
            with connect(dsn) as looking:
                until(lambda: bool(looking.execute(WAITS).fetchall()))
            declare(connection, [change], by="bea", at=NOON)
        blocking.result()

    after = token(dsn, "04a1", LATER)
    assert after == replace(limited, status=TokenStatus.BLOCKED)
