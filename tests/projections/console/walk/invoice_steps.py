"""Steps of the walk about one invoice: why it is what it is, and a line of it given back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from hashlib import sha256

from playwright.sync_api import expect

from deploy.running.turns import work_off
from ledger.database import connect
from ledger.log.envelope import Tick, encode_line
from ledger.log.outbox import carry, put
from ledger.log.postgres import PostgresEventLog
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.keeping.rendering import DocumentRenderer
from tests.projections.console.browser import Tab

HOURS = timedelta(hours=2)


def prove_invoice(opened: Tab, dsn: str, number: str) -> None:
    """Why is an invoice what it is: its lines, one line's arithmetic, down to the raw frame."""
    with connect(dsn) as connection:
        [(document_sha256, due_minor)] = connection.execute(
            "SELECT sha256, due_minor FROM issued_invoice WHERE number = %s", (number,)
        ).fetchall()
    opened.open(f"/console/invoices?number={number}")
    opened.page.locator("main").get_by_role("link", name=number).first.click()
    expect(opened.page.locator("main")).to_contain_text(document_sha256)
    expect(opened.page.locator("main")).to_contain_text(f"€{due_minor / 100:,.2f}")
    opened.page.locator("a[href*='/lines/']").first.click()
    expect(opened.page.locator("#arithmetic")).to_be_visible()
    expect(opened.page.locator("#tariff")).to_be_visible()
    [told] = opened.page.locator("#frames ~ p.code").all_inner_texts()[:1]
    opened.page.locator("#frames ~ h3 a").first.click()
    hashed = told.split()[1]
    frame = opened.page.locator("main pre").first.inner_text()
    expect(opened.page.locator("main")).to_contain_text(hashed)
    assert sha256(frame.encode()).hexdigest() == hashed


def credit_a_line(opened: Tab, dsn: str, number: str, at: datetime) -> None:
    """Credit one line, with a preview of what the note will say; then see the note's PDF."""
    page = opened.page
    opened.open(f"/console/invoices/{number}")
    page.get_by_role("link", name="Credit", exact=True).click()
    page.locator("tbody input[name=line]").first.check()
    page.get_by_role("button", name="Show what the note will say").click()
    expect(page.locator("main")).to_contain_text(f"Credit note for invoice {number}")
    said = page.locator("button.danger").inner_text()
    page.get_by_label("Reason").fill("the charger was noisy")
    page.locator("button.danger").click()
    expect(page.locator("h1")).to_contain_text("The credit note is on its way")
    let_time_pass(dsn, at + HOURS)
    opened.open(f"/console/invoices/{number}")
    with connect(dsn) as connection:
        [(note, due_minor, pdf_sha256)] = connection.execute(
            "SELECT number, due_minor, pdf_sha256 FROM issued_invoice"
            " JOIN rendered_document USING (number) WHERE credits = %s",
            (number,),
        ).fetchall()
    assert said == f"Credit €{due_minor / 100:,.2f}"
    link = page.locator(f"a[href='/console/invoices/{note}/pdf']").first
    answer = page.context.request.get(opened.url + str(link.get_attribute("href")))
    assert answer.headers["content-type"] == "application/pdf"
    assert sha256(answer.body()).hexdigest() == pdf_sha256


def let_time_pass(dsn: str, until: datetime) -> None:
    """Let the log hear that it is later, and let be done what is due by then."""
    with connect(dsn) as connection, closing(PostgresEventLog(dsn)) as log:
        with connection.transaction():
            lines = dict.fromkeys(range(log.partitions), encode_line(Tick(received_at=until)))
            put(connection, lines, partitions=log.partitions)
        carry(connection, log)
        work_off(dsn, log)
    with closing(DocumentKeeper(dsn, DocumentRenderer())) as keeper:
        assert keeper.run_once()


def export_journal(opened: Tab, dsn: str, legal_entity: str, month: str) -> None:
    """Export the journal of a month: every posting of the books, debits equal to credits."""
    opened.open(f"/console/journal?legal_entity={legal_entity}&period={month}")
    with opened.page.expect_download() as download:
        opened.page.get_by_role("link", name="Export as CSV").click()
    rows: Sequence[str] = download.value.path().read_text("utf-8-sig").splitlines()
    with connect(dsn) as connection:
        [(postings,)] = connection.execute(
            "SELECT sum(cardinality(accounts)) FROM journal_entry"
            " WHERE legal_entity = %s AND period = %s",
            (legal_entity, month),
        ).fetchall()
    assert len(rows) == postings + 1
