"""Rows that nobody can read: of another release, or damaged. They take no page from anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Final, LiteralString

import httpx

from deploy.interface.access import Scope
from ledger.database import connect
from ledger.users.access_tokens import make_token
from ledger.users.roles import Grant, Role
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import served_console

INVOICE: Final = "HC-2026-000109"
SESSION: Final = "HB-03/100334/20260331T003703Z"
MONTH: Final = "/console/months/harbour-charging/2026-03"
JOB: LiteralString = """
INSERT INTO job (kind, subject, parameters, asked_by, asked_at, state, result)
VALUES (%s, %s, %s, 'somebody', now(), %s, %s) RETURNING number
"""
JOBS: Final = (
    # The kind, what it is about, what was asked, its state, what it came to.
    ("what_if", "v1", b"\xff{", "waiting", None),
    ("what_if", "v1", b'{"draft": "seven"}', "failed", None),
    (
        "what_if",
        "v1",
        b'{"draft":1,"first_month":"2026-03","last_month":"2026-03","reach":{"everywhere":true}}',
        "done",
        b"[]",
    ),
    ("replay_log", "", b"7", "done", b"{}"),
    ("check_books", "", b"null", "done", b"nothing"),
    ("check_month", "harbour-charging 2026-03", b"{}", "done", b"{}"),
    ("make_again", INVOICE, b"", "done", b'{"document": 1}'),
)
ROWS: Final[tuple[LiteralString, ...]] = (
    """INSERT INTO credit_proposal VALUES ('HC-2026-000109', '{', 'why', 'EUR', 7, 'x', now())""",
    """INSERT INTO choice_proposal VALUES
        ('HB-03/100334/20260331T003703Z', 'forgive', 1, '{}', 'EUR', 7, 'why', 'x', now())""",
    """INSERT INTO user_change (name, kind, change, changed_by, changed_at) VALUES
        ('ada', 'granted', '{"before": [7]}', 'x', now()), ('ada', 'granted', '\\xff', 'x', now()),
        ('ada', 'token_made', '[]', 'x', now()), ('ada', 'odd', '7', 'x', now())""",
    """INSERT INTO saved_view VALUES
        ('ada', 'invoices', '<b>odd', 'min=&&&=%%%%zz&state=\u2603', now())""",
    """INSERT INTO tariff_draft (tariff_id, text, sha256, version, drafted_by, drafted_at)
        VALUES ('', ': [', '', 'v1', 'x', now())""",
    """INSERT INTO match_proposal SELECT line, '{', 'x', now() FROM bank_line LIMIT 1""",
    """INSERT INTO money_proposal SELECT number, '{', 'x', now() FROM movement LIMIT 1""",
    """INSERT INTO webhook VALUES
        ('odd', 'nowhere', '{gone.kind}', 'nothing sealed', 'x', now(), 'x', now())""",
    """INSERT INTO webhook_delivery (webhook, event, kind, body, state, next_at, made_at)
        VALUES ('odd', 'e', 'gone.kind', '\\xff', 'failed', now(), now())""",
)
PAGES: Final = (
    ("/console/what-if", "cannot be read"),
    ("/console/what-if/drafts/1", "v1"),
    ("/console/what-if?sort=job", "cannot be read"),
    ("/console/what-if?sort=-job&format=csv&list=jobs", "cannot be read"),
    ("/console/what-if?format=csv&list=drafts", "number,tariff"),
    ("/console/access/tokens", "app"),
    ("/console/access/tokens?format=csv", "app"),
    ("/console/work", ""),
    ("/console/work/second", ""),
    ("/console/sessions", "forgive"),
    (f"/console/sessions/{SESSION}", "forgive"),
    ("/console/invoices", "&lt;b&gt;odd"),
    (f"/console/invoices/{INVOICE}", "proposed to credit"),
    (f"/console/invoices/{INVOICE}/credit?proposal=1", "cannot be read: withdraw it"),
    ("/console/months", "2026"),
    (MONTH, ""),
    ("/console/integrity", ""),
    ("/console/access", "ada"),
    ("/console/access/person?name=ada", "? → ?"),
    ("/console/tariffs", ""),
)


def test_one_odd_row_takes_no_page_from_anybody(demo_copy: str, demo_folder: Path) -> None:
    wrong = []
    roles = [Grant(each) for each in Role]
    with served_console(demo_copy, demo_now(demo_folder)) as console:
        console.cookie("ada", *roles)
        with connect(demo_copy) as connection:
            for row in ROWS:
                assert connection.execute(row).rowcount, row
            jobs = [connection.execute(JOB, each).fetchall()[0][0] for each in JOBS]
            token = make_token(connection, "app", [Scope.WEBHOOKS], by="ada")
        pages = [
            *PAGES,
            *((f"/console/what-if/{each}", "cannot be read") for each in jobs[:3]),
            (f"/console/invoices/{INVOICE}/again/{jobs[-1]}", "failed"),
        ]
        with console.client("ada", *roles) as client:
            for path, said in pages:
                answer = client.get(path)
                if answer.status_code != 200 or said not in answer.text:
                    wrong.append((path, answer.status_code))
        with console.client("mara", Grant(Role.PRICING, "harbour-charging")) as client:
            # Of what cannot be read nobody knows how far it reaches.
            assert client.get(f"/console/what-if/{jobs[0]}").status_code == 404
            assert "cannot be read" not in client.get("/console/what-if").text
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=console.url, headers=headers, trust_env=False) as client:
            for path in ("", "/odd", "/odd/deliveries", "/odd/deliveries/1"):
                answer = client.get(f"/webhooks{path}")
                if answer.status_code != 200:
                    wrong.append((path, answer.status_code))

    assert wrong == []
