"""The bank statements of the demo, as a bank sends them (ISO 20022, camt.053.001.08)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from tariffs.currencies import currency_exponent
from tariffs.quantities import minor_text

_NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


class BankTransfer(NamedTuple):
    """A line of a statement: what came, in minor units, from whom, and what they wrote."""

    minor: int
    payer: str
    text: str


def statement_file(
    account: str,
    currency: str,
    day: date,
    transfers: Sequence[BankTransfer],
    *,
    opening_minor: int = 0,
) -> bytes:
    """Return the statement of *account* for a *day* on which *transfers* came."""
    closing = opening_minor + sum(each.minor for each in transfers)
    lines = "".join(_entry(number, each, currency, day) for number, each in enumerate(transfers, 1))
    named = f"{day:%Y%m%d}-1"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{_NAMESPACE}"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>{named}</MsgId><CreDtTm>{day}T21:00:00Z</CreDtTm></GrpHdr><Stmt>"
        f"<Id>{named}</Id><CreDtTm>{day}T21:00:00Z</CreDtTm>"
        f"<Acct><Id><IBAN>{account}</IBAN></Id><Ccy>{currency}</Ccy></Acct>"
        f"{_balance('OPBD', opening_minor, currency, day)}"
        f"{_balance('CLBD', closing, currency, day)}"
        f"{lines}</Stmt></BkToCstmrStmt></Document>\n"
    ).encode()


def _balance(kind: str, minor: int, currency: str, day: date) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>{_amount(minor, currency)}"
        f"<Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def _entry(number: int, transfer: BankTransfer, currency: str, day: date) -> str:
    return (
        f"<Ntry><NtryRef>{number}</NtryRef>{_amount(transfer.minor, currency)}"
        f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt>"
        f"<AcctSvcrRef>{day:%Y%m%d}{number:06}</AcctSvcrRef>"
        "<BkTxCd><Prtry><Cd>166</Cd></Prtry></BkTxCd><NtryDtls><TxDtls>"
        f"<RltdPties><Dbtr><Pty><Nm>{escape(transfer.payer)}</Nm></Pty></Dbtr></RltdPties>"
        f"<RmtInf><Ustrd>{escape(transfer.text)}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )


def _amount(minor: int, currency: str) -> str:
    sign = "CRDT" if minor >= 0 else "DBIT"
    text = minor_text(abs(minor), currency_exponent(currency))
    return f'<Amt Ccy="{currency}">{text}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'
