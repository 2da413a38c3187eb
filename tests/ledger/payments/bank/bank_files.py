"""Statements as banks write them, made of few words: for tests."""

from __future__ import annotations

from io import BytesIO
from typing import NamedTuple
from xml.sax.saxutils import escape

from ledger.payments.bank.files.camt import read_camt
from ledger.payments.bank.files.statement import BankStatement
from tariffs.quantities import minor_text

IBAN = "DE02120300000000202051"
PAYER = "DE02500105170137075030"


class Booked(NamedTuple):
    """An entry of a test: `amount` in cents, signed; `text` may be several, one a part."""

    amount: int
    text: str = ""
    reference: str = ""
    day: str = "2026-11-10"
    payer: str = "Carla Clara"
    account: str = PAYER
    parts: tuple[tuple[int, str], ...] = ()
    is_reversal: bool = False
    status: str = "BOOK"
    structured: str = ""
    why_returned: str = ""


def camt_text(
    entries: list[Booked],
    *,
    name: str = "2026-11-10",
    opening: int = 0,
    closing: int | None = None,
    version: str = "08",
    iban: str = IBAN,
    page: str = "",
) -> str:
    """Return a camt.053 of *version* with *entries*; its closing balance is right if not given."""
    booked = [each.amount for each in entries if each.status == "BOOK"]
    closes = opening + sum(booked) if closing is None else closing
    body = "".join(entry_text(each, version) for each in entries)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>M-{name}</MsgId><CreDtTm>2026-11-11T01:00:00Z</CreDtTm></GrpHdr>"
        f"<Stmt><Id>{name}</Id>{page}<CreDtTm>2026-11-11T01:00:00Z</CreDtTm>"
        f"<Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        f"{balance_text('OPBD', opening)}{balance_text('CLBD', closes)}{body}</Stmt>"
        "</BkToCstmrStmt></Document>"
    )


def camt(entries: list[Booked], **given: object) -> BankStatement:
    """Return the statement that `camt_text` writes, as it is read."""
    text = camt_text(entries, **given)  # type: ignore[arg-type]
    [statement] = read(text)
    return statement


def read(text: str | bytes) -> list[BankStatement]:
    """Return the statements of a file's text."""
    content = text.encode() if isinstance(text, str) else text
    return read_camt(BytesIO(content), "march.xml")


def balance_text(code: str, minor: int) -> str:
    """Return a balance."""
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{amount_text(minor)}"
        "<Dt><Dt>2026-11-10</Dt></Dt></Bal>"
    )


def amount_text(minor: int) -> str:
    """Return an amount and its direction."""
    way = "DBIT" if minor < 0 else "CRDT"
    return f'<Amt Ccy="EUR">{minor_text(abs(minor), 2)}</Amt><CdtDbtInd>{way}</CdtDbtInd>'


def entry_text(entry: Booked, version: str) -> str:
    """Return an entry with its details."""
    is_new = int(version) >= 8
    status = f"<Cd>{entry.status}</Cd>" if is_new else entry.status
    reversal = "<RvslInd>true</RvslInd>" if entry.is_reversal else ""
    reference = f"<AcctSvcrRef>{entry.reference}</AcctSvcrRef>" if entry.reference else ""
    parts = entry.parts or ((entry.amount, entry.text),)
    details = "".join(_detail(entry, minor, text, is_new=is_new) for minor, text in parts)
    return (
        f"<Ntry>{amount_text(entry.amount)}{reversal}<Sts>{status}</Sts>"
        f"<BookgDt><Dt>{entry.day}</Dt></BookgDt><ValDt><Dt>{entry.day}</Dt></ValDt>{reference}"
        "<BkTxCd><Domn><Cd>PMNT</Cd></Domn></BkTxCd>"
        f"<NtryDtls>{details}</NtryDtls></Ntry>"
    )


def _detail(entry: Booked, minor: int, text: str, *, is_new: bool) -> str:
    side = "Dbtr" if entry.amount > 0 else "Cdtr"
    named = f"<Nm>{escape(entry.payer)}</Nm>"
    party = f"<{side}>{f'<Pty>{named}</Pty>' if is_new else named}</{side}>" if entry.payer else ""
    amount = amount_text(minor)
    if not is_new:
        only = amount.partition("<CdtDbtInd>")[0]
        amount = f"<AmtDtls><TxAmt>{only}</TxAmt></AmtDtls>"
    account = (
        f"<{side}Acct><Id><IBAN>{entry.account}</IBAN></Id></{side}Acct>" if entry.account else ""
    )
    structured = (
        f"<Strd><CdtrRefInf><Ref>{entry.structured}</Ref></CdtrRefInf></Strd>"
        if entry.structured
        else ""
    )
    returned = (
        f"<RtrInf><Rsn><Cd>{entry.why_returned}</Cd></Rsn></RtrInf>" if entry.why_returned else ""
    )
    texts = f"<Ustrd>{escape(text)}</Ustrd>" if text else ""
    return (
        f"<TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>{amount}"
        f"<RltdPties>{party}{account}</RltdPties><RmtInf>{texts}{structured}</RmtInf>{returned}</TxDtls>"
    )
