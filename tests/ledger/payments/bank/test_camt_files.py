"""Bank statements by ISO 20022, and files that only look like them."""

from __future__ import annotations

from datetime import date

import pytest

from ledger.payments.bank.files.statement import (
    StatementForm,
    UnbalancedStatementError,
    UnreadableStatementError,
)
from tests.ledger.payments.bank.bank_files import (
    IBAN,
    PAYER,
    Booked,
    balance_text,
    camt,
    camt_text,
    read,
)

BATCH = Booked(30000, reference="B-1", parts=((10000, "one"), (20000, "two")))


@pytest.mark.parametrize("version", [f"{number:02d}" for number in range(2, 14)])
def test_every_version_says_the_same(version: str) -> None:
    entries = [
        Booked(12345, "WL-2026-000001", "R-1"),
        Booked(-345, "charges", "R-2", payer="", account=""),
        BATCH,
        Booked(1000, "to come", "R-3", status="PDNG"),
        Booked(1000, "told only", "R-4", status="INFO"),
    ]

    found = camt(entries, version=version, opening=5000)

    assert (found.account, found.currency, found.form) == (IBAN, "EUR", StatementForm.STATEMENT)
    assert (found.opening_minor, found.closing_minor, found.left_out) == (5000, 47000, 2)
    first, charges, batch = found.entries
    assert (first.amount_minor, first.bank_reference) == (12345, "R-1")
    assert (first.booked_on, first.value_on) == (date(2026, 11, 10), date(2026, 11, 10))
    [part] = first.parts
    assert (part.payer, part.payer_account) == ("Carla Clara", PAYER)
    assert (part.texts, part.references) == (("WL-2026-000001",), ())
    assert (charges.amount_minor, charges.parts[0].payer) == (-345, "")
    assert [(each.amount_minor, each.texts) for each in batch.parts] == [
        (10000, ("one",)),
        (20000, ("two",)),
    ]


def test_a_reversal_goes_the_way_that_its_entry_says() -> None:
    """ISO 20022: RvslInd with CRDT is the reversal of a debit, so the money comes."""
    found = camt([Booked(-500, "back", "R-1", is_reversal=True), Booked(200, is_reversal=True)])

    assert [(each.amount_minor, each.is_reversal) for each in found.entries] == [
        (-500, True),
        (200, True),
    ]
    assert found.closing_minor == -300


def test_details_that_are_not_the_entry_are_not_taken_apart() -> None:
    found = camt([Booked(30000, reference="B-1", parts=((10000, "one"), (19999, "two")))])

    [part] = found.entries[0].parts
    assert (part.amount_minor, part.texts) == (30000, ("one", "two"))


@pytest.mark.parametrize(("opening", "closing"), [(0, 12346), (0, 12344), (1, 12345), (-1, 12345)])
def test_a_cent_that_is_missing_is_named(opening: int, closing: int) -> None:
    with pytest.raises(UnbalancedStatementError, match=r"does not add up.*Nothing of it") as caught:
        camt([Booked(12345)], opening=opening, closing=closing)

    assert caught.value.off_minor == opening + 12345 - closing


def test_a_page_in_between_has_interim_balances() -> None:
    text = camt_text([Booked(100)], opening=500, page="<StmtPgntn><PgNb>2</PgNb></StmtPgntn>")
    text = text.replace("OPBD", "ITBD").replace("CLBD", "ITBD")

    [found] = read(text)

    assert (found.opening_minor, found.closing_minor, found.page) == (500, 600, 2)


def test_a_report_during_the_day_leaves_out_what_has_no_name() -> None:
    text = camt_text([Booked(100, reference="R-1"), Booked(200)])
    text = text.replace("BkToCstmrStmt", "BkToCstmrAcctRpt").replace("Stmt>", "Rpt>")

    [found] = read(text.replace("camt.053", "camt.052"))

    assert (found.form, len(found.entries), found.left_out) == (StatementForm.REPORT, 1, 1)
    assert (found.opening_minor, found.closing_minor) == (None, None)


GOOD = camt_text([Booked(12345, "x", "R-1")])
DEEP = "<a>" * 100 + "</a>" * 100


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "no element", id="nothing"),
        pytest.param("Datum;Betrag", "not well-formed", id="a CSV"),
        pytest.param(GOOD[:-20], "no element found|unclosed", id="half a file"),
        pytest.param(GOOD + "<x/>", "junk", id="more than a file"),
        pytest.param(
            f'<!DOCTYPE Document [<!ENTITY a "b">]>{GOOD[38:]}', "DOCTYPE", id="an entity"
        ),
        pytest.param(
            f'<!DOCTYPE Document SYSTEM "http://127.0.0.1:1/x">{GOOD[38:]}', "DOCTYPE", id="a DTD"
        ),
        pytest.param(GOOD.replace("<Acct>", f"{DEEP}<Acct>"), "deep", id="a shaft"),
        pytest.param(GOOD.replace("UTF-8", "UTF-77"), "unknown encoding|decoded", id="no encoding"),
        pytest.param(GOOD.replace("camt.053", "pain.001"), "no camt.053", id="a payment order"),
        pytest.param(GOOD.replace("BkToCstmrStmt", "Other"), "no camt.053", id="another message"),
        pytest.param(GOOD.replace("<Id>2026-11-10</Id>", ""), "Id", id="no name"),
        pytest.param(GOOD.replace(IBAN, ""), "account", id="no account"),
        pytest.param(GOOD.replace("<Ccy>EUR", "<Ccy>EURO"), "ISO 4217", id="no currency"),
        pytest.param(GOOD.replace("<Ccy>EUR", "<Ccy>USD"), "another currency", id="two currencies"),
        pytest.param(GOOD.replace("OPBD", "XXXX"), "opening", id="no opening balance"),
        pytest.param(GOOD.replace("CLBD", "CLAV"), "closing", id="no closing balance"),
        pytest.param(GOOD.replace("OPBD", "CLBD"), "two balances", id="two closing balances"),
        pytest.param(GOOD.replace("123.45", "-123.45"), "below 0", id="a sign"),
        pytest.param(GOOD.replace("123.45", "1e2"), "none", id="an exponent"),
        pytest.param(GOOD.replace("123.45", "NaN"), "none", id="no number"),
        pytest.param(GOOD.replace("123.45", "123,45"), "none", id="a comma"),
        pytest.param(GOOD.replace("123.45", "123.455"), "finer", id="half a cent"),
        pytest.param(GOOD.replace("123.45", "1" + "0" * 17), "any bank", id="all money"),
        pytest.param(
            camt_text([Booked(10**15, "x", f"R-{turn}") for turn in range(11)]),
            "any bank",
            id="all money, in parts",
        ),
        pytest.param(
            GOOD.replace("<CdtDbtInd>CRDT</CdtDbtInd><Sts>", "<Sts>"), "came", id="no way"
        ),
        pytest.param(
            GOOD.replace("<Dt>2026-11-10</Dt></BookgDt>", "</BookgDt>"), "day", id="no day"
        ),
        pytest.param(GOOD.replace("<Dt>2026-11-10", "<Dt>2026-13-10"), "day", id="no month"),
        pytest.param(GOOD.replace("<Nm>", "<Nm>" + "x" * 200_000), "characters", id="a long text"),
    ],
)
def test_what_cannot_be_relied_on_is_refused(text: str, why: str) -> None:
    with pytest.raises(UnreadableStatementError, match=why):
        read(text)


def test_an_entry_within_an_entry_is_of_no_statement() -> None:
    inner = camt_text([Booked(9900)]).partition("<Ntry>")[2].partition("</Ntry>")[0]
    text = GOOD.replace("<BkTxCd>", f"<Ntry>{inner}</Ntry><BkTxCd>")

    [found] = read(text)

    assert [each.amount_minor for each in found.entries] == [12345]


def test_other_encodings_and_prefixes_are_read() -> None:
    text = GOOD.replace("Carla Clara", "Zoë Müller").replace("UTF-8", "UTF-16")
    prefixed = GOOD.replace("<", "<c:").replace("<c:/", "</c:").replace("<c:?", "<?")
    prefixed = prefixed.replace("xmlns=", "xmlns:c=")

    [found] = read(text.encode("utf-16"))
    [same] = read(prefixed)

    assert found.entries[0].parts[0].payer == "Zoë Müller"
    assert same.closing_minor == 12345
    assert balance_text("OPBD", 5).count("0.05") == 1
