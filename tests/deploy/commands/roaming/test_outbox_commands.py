"""`wattledger partner retry` and `cdr send`, as somebody types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import WRONG, run
from deploy.settings import NAMES
from ledger.database import connect
from roaming_ocpi.relay.outgoing import MessageKind, enqueue

TNM = "NL-TNM"
MAKE_CDR = """
INSERT INTO roaming_cdr (party, number, cdr_id, session_id, revision, kind, credits, legal_entity,
    currency, net_minor, tax_minor, energy_wh, started_at, ended_at, billing_month, made_at, notes,
    body, sha256)
VALUES ('NL-TNM', %(number)s, %(id)s, %(id)s, 1, 'cdr', NULL, 'watt', 'EUR', 100, 19, 1000,
    %(ended)s::timestamptz - interval '1 h', %(ended)s, '2026-03', %(ended)s, '[]', '{}',
    sha256(convert_to(%(id)s, 'UTF8')))
"""


@pytest.fixture
def outbox(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three CDRs of March: one was delivered, one refused, one is not on its way."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    with connect(database) as connection:
        for number, day in ((1, 1), (2, 10), (3, 20)):
            row = {"number": number, "id": f"cdr-{number}", "ended": f"2026-03-{day:02}T12:00:00Z"}
            connection.execute(MAKE_CDR, row)
        connection.execute(
            "INSERT INTO outgoing_attempt (party, number, attempt, kind, subject, at, came_of_it)"
            " VALUES ('NL-TNM', 1, 1, 'cdr', 'cdr-1', '2026-03-01T13:00:00Z', 'delivered')"
        )
        enqueue(connection, TNM, MessageKind.CDR, "cdr-2", lane="cdr-2")
        connection.execute("UPDATE outgoing SET state = 'dead', failures = 3")
        connection.execute(
            "INSERT INTO outgoing_party (party, failures, next_at)"
            " VALUES ('NL-TNM', 4, '2100-01-01Z')"
        )
    return database


def waiting(dsn: str) -> list[tuple[Any, ...]]:
    with connect(dsn) as connection:
        query = "SELECT subject, state, failures FROM outgoing ORDER BY subject"
        return connection.execute(query).fetchall()


def told(capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401 - whatever it printed
    return json.loads(capsys.readouterr().out)


def test_what_was_refused_is_put_back_in_one_command(outbox: str) -> None:
    assert run(["partner", "retry", TNM]) == 0

    assert waiting(outbox) == [("cdr-2", "new", 0)]
    with connect(outbox) as connection:
        rows = connection.execute("SELECT failures, next_at < now() FROM outgoing_party")
        assert rows.fetchall() == [(0, True)]


@pytest.mark.parametrize(
    ("only", "count"), [("session", 0), ("cdr-9", 0), ("cdr", 1), ("cdr-2", 1)]
)
def test_or_some_of_it(
    outbox: str, only: str, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["partner", "retry", TNM, "--only", only, "--json"]) == 0

    assert told(capsys) == {"party": TNM, "put_back": count, "caught_up": 0}
    assert waiting(outbox)[0][1] == ("new" if count else "dead")


@pytest.mark.parametrize(("since", "more"), [("2026-03-20", 1), ("2026-03-21", 0)])
def test_a_partner_that_registered_late_catches_up_from_a_day(
    outbox: str, since: str, more: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["partner", "retry", TNM, "--from", since, "--json"]) == 0
    assert told(capsys) == {"party": TNM, "put_back": 1, "caught_up": more}

    assert run(["partner", "retry", TNM, "--from", "2026-01-01", "--json"]) == 0
    assert told(capsys)["caught_up"] == 1 - more, "the delivered one is not sent again"
    assert [row[0] for row in waiting(outbox)] == ["cdr-2", "cdr-3"]


def test_one_cdr_is_sent_though_the_partner_has_it(
    outbox: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["cdr", "send", "cdr-1", "cdr-2"]) == 0
    assert "cdr-1: to NL-TNM, at once" in capsys.readouterr().out
    assert waiting(outbox) == [("cdr-1", "new", 0), ("cdr-2", "new", 0)]

    assert run(["cdr", "send", "cdr-7", "--json"]) == 1
    assert told(capsys) == {"sent": 0, "unknown": ["cdr-7"]}


def test_or_all_that_a_partner_has_not_got_and_did_not_refuse(
    outbox: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["cdr", "send", "--party", TNM, "--json"]) == 0

    assert told(capsys) == {"sent": 1, "unknown": []}
    assert waiting(outbox) == [("cdr-2", "dead", 3), ("cdr-3", "new", 0)]


@pytest.mark.parametrize(
    "words", [["cdr", "send"], ["cdr", "send", "a", "--party", TNM], ["partner", "retry", "tnm"]]
)
def test_what_makes_no_sense_is_said(outbox: str, words: list[str]) -> None:
    assert run(words) == WRONG
    assert waiting(outbox) == [("cdr-2", "dead", 3)]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("invited", "it goes out once it has"),
        ("revoked", "it goes out once it is registered again"),
        ("paused", "it goes out once it is resumed"),
        ("registered", None),
    ],
)
def test_why_what_waits_does_not_go_is_said(
    outbox: str, state: str, why: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(outbox) as connection:
        enqueue(connection, TNM, MessageKind.CDR, "cdr-3", lane="cdr-3")
        connection.execute(
            "INSERT INTO roaming_link (partner, state, our_party, version, sealed, changed_at)"
            " VALUES ('NL-TNM', %s, 'DE-HBC', '2.2.1', 'sealed', now())",
            (state,),
        )
    assert run(["partner", "show", TNM]) == 0
    said = capsys.readouterr().out

    assert "1 waiting, 1 refused" in said
    assert (why in said) if why else ("not sent" not in said)


def test_what_was_not_said_or_answered_oddly_is_told_to_the_partner_manager(
    outbox: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(outbox) as connection:
        for number, kind, notes in (
            (2, "session", ["not_said"]),
            (3, "session", ["not_said", "text_cut"]),
            (4, "cdr", ["location_differs"]),
        ):
            connection.execute(
                "INSERT INTO outgoing_attempt (party, number, attempt, kind, subject, at,"
                " came_of_it, notes) VALUES (%s, %s, 1, %s, 'x', %s, 'delivered', %s)",
                (TNM, number, kind, f"2026-03-0{number}T12:00:00Z", notes),
            )
        # Of another partner.
        connection.execute(
            "INSERT INTO outgoing_attempt (party, number, attempt, kind, subject, at, came_of_it,"
            " notes) VALUES ('DE-BLU', 1, 1, 'cdr', 'x', now(), 'delivered', '{location_odd}')"
        )
        connection.execute(
            "INSERT INTO roaming_link (partner, state, changed_at) VALUES (%s, 'invited', now())",
            (TNM,),
        )
    assert run(["partner", "show", TNM, "--json"]) == 0

    noted = told(capsys)["outbox"]["noted"]
    assert [each[:3] for each in noted] == [
        ["location_differs", "cdr", 1],
        ["not_said", "session", 2],
        ["text_cut", "session", 1],
    ]
    assert noted[1][3].startswith("2026-03-03T12:00:00")
    assert run(["partner", "show", TNM]) == 0
    assert "location_differs" in capsys.readouterr().out
