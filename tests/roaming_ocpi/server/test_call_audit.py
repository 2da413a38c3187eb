"""The audit of calls: nothing waits for it, it waits for the database, and it forgets in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledger.database import connect
from ledger.persons.store import erase
from roaming_ocpi.client.audit import CallDirection, CallRecord, asked_module
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.server import audit
from roaming_ocpi.server.audit import CallAudit, prune_calls, write_calls
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def call_of(number: int = 0, *, at: datetime = NOON, target: str = "/x/UID-1") -> CallRecord:
    return CallRecord(
        direction=CallDirection.OUT,
        partner="NL-TNM",
        method="PUT",
        template="https://x.example/tokens/...",
        target=target,
        version="2.2.1",
        module="tokens",
        http=None,
        status_code=None,
        ms=number,
        request_id=f"r-{number}",
        at=at,
        trouble="unreachable\n\x00\ud800",
    )


def test_the_same_path_has_the_same_digest_until_the_partner_is_erased(database: str) -> None:
    with connect(database) as connection:
        write_calls(connection, [call_of(), call_of(), call_of(target="/x/UID-2")])
        [(subject,)] = connection.execute("SELECT subject FROM subject").fetchall()
        erase(connection, [subject])
        write_calls(connection, [call_of()])
        rows = connection.execute("SELECT target_hmac, trouble FROM roaming_call ORDER BY id")
        digests, troubles = zip(*rows.fetchall(), strict=True)

    assert digests[0] == digests[1]
    assert len({*digests}) == 3
    assert troubles[0] == r"unreachable\n\x00\ud800"


def test_calls_are_let_go_after_their_days(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_PRUNED_AT_ONCE", 2)
    with connect(database) as connection:
        write_calls(connection, [call_of(n, at=NOON - timedelta(days=n)) for n in range(8)])
        pruned = prune_calls(connection, NOON - timedelta(days=2, seconds=1))
        kept = connection.execute("SELECT ms FROM roaming_call ORDER BY id").fetchall()

    assert (pruned, kept) == (5, [(0,), (1,), (2,)])


def test_what_cannot_be_written_waits_in_its_order_and_the_oldest_make_room(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "WAITING_MAX", 5)
    with connect(database) as connection:
        connection.execute("ALTER TABLE roaming_call RENAME TO away")
        keeping = CallAudit(database, now=lambda: NOON, kept_days=30)
        for number in range(4):
            keeping.hear(call_of(number))
        keeping._ending.wait(1.5)  # noqa: SLF001 - it tries, and fails
        for number in range(4, 8):
            keeping.hear(call_of(number))
        lost = keeping.lost
        connection.execute("ALTER TABLE away RENAME TO roaming_call")
        keeping.close()
        kept = connection.execute("SELECT ms FROM roaming_call ORDER BY id").fetchall()

    assert kept == [(number,) for number in range(3, 8)]
    assert (lost, keeping.written) == (3, 5)


def test_a_flood_does_not_fill_the_table_and_who_is_a_partner_is_kept_whole(database: str) -> None:
    keeping = CallAudit(database, now=lambda: NOON, kept_days=30)
    for number in range(300):
        keeping.hear(call_of(number)._replace(partner=None))
        keeping.hear(call_of(number)._replace(http=429))
        keeping.hear(call_of(number))
    keeping.close()
    with connect(database) as connection:
        kept = connection.execute(
            "SELECT count(*) FILTER (WHERE partner IS NULL), count(*) FILTER (WHERE http = 429), "
            "count(*) FILTER (WHERE partner IS NOT NULL AND http IS NULL) FROM roaming_call"
        ).fetchone()

    assert kept is not None
    assert (kept[0] <= 110, kept[1] <= 110, kept[2]) == (True, True, 300)
    assert keeping.passed_over == 600 - kept[0] - kept[1]


@pytest.mark.parametrize(
    ("url", "module", "template"),
    [
        ("https://p.example/o/tokens", "tokens", "https://p.example/o/tokens"),
        ("https://p.example/o/tokens/NL/TNM/UID", "tokens", "https://p.example/o/tokens/..."),
        ("https://p.example/o/tokens/UID?type=RFID", "tokens", "https://p.example/o/tokens/..."),
        ("https://p.example/o/tokensUID", None, "https://p.example/..."),
        (
            "https://p.example/o/tokens/commands/1",
            "commands",
            "https://p.example/o/tokens/commands/...",
        ),
        ("https://user:secret@p.example/callback/UID", None, "https://p.example/..."),
        ("https://p.example", None, "https://p.example"),
    ],
)
def test_an_address_of_a_partner_is_written_down_without_whom_it_names(
    url: str, module: str | None, template: str
) -> None:
    endpoints = {
        (ModuleId.TOKENS, InterfaceRole.SENDER): "https://p.example/o/tokens",
        (ModuleId.COMMANDS, InterfaceRole.RECEIVER): "https://p.example/o/tokens/commands/",
    }
    link = Link("NL-TNM", "DE-HBC", LinkState.REGISTERED, OcpiVersion.V2_2_1, "c", endpoints)

    assert asked_module(link, url) == (module, template)
