"""Addresses of what pages lead to, wherever its screen is."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlencode

from projections.console.navigation import HOME

# What a browser or a server makes another path of: those go as a parameter.
_UNSAFE: Final = re.compile(r"(^|/)(\.{0,2})(/|$)")

# What a path takes as it is; any other id of a tariff is named beside it.
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")

_SLASH: Final = "~"
"""No number of a document has it."""


def session_link(session_id: str) -> str:
    """Return where a session is shown; stations name transactions as they like."""
    if _UNSAFE.search(session_id):
        return f"{HOME}/sessions?{urlencode({'id': session_id})}"
    return f"{HOME}/sessions/{quote(session_id)}"


def sessions_link(**filters: str) -> str:
    """Return where sessions of these filters are listed."""
    return f"{HOME}/sessions?{urlencode(filters)}"


def frame_link(spot: str) -> str:
    """Return where a line of the log is shown; *spot* is partition/record/line."""
    return f"{HOME}/frames/{spot}"


def invoice_link(number: str) -> str:
    """Return where a document is shown; a "/" of its number is no other part of the path."""
    return f"{HOME}/invoices/{quote(number.replace('/', _SLASH), safe='')}"


def number_in(part: str) -> str:
    """Return the number of a document that a part of a path names, as `invoice_link` wrote it."""
    return part.replace(_SLASH, "/")


def customer_link(customer: str) -> str:
    """Return where a customer is shown, by its key, or its subject id once it is erased."""
    return f"{HOME}/customers/{quote(customer, safe='')}"


def tariff_link(tariff_id: str, **more: str) -> str:
    """Return where a tariff is shown, whatever its file calls it."""
    is_plain = _PLAIN.fullmatch(tariff_id) is not None
    path = f"{HOME}/tariffs/{tariff_id if is_plain else '-/of'}"
    said = urlencode({**({} if is_plain else {"id": tariff_id}), **more})
    return f"{path}?{said}" if said else path


def station_link(station_id: str) -> str:
    """Return where a station is shown."""
    return f"{HOME}/fleet/stations/{quote(station_id, safe='')}"


def payment_link(number: int | str) -> str:
    """Return where a movement of money is shown, by its number."""
    return f"{HOME}/payments/{number}"


def payments_link(**filters: str) -> str:
    """Return where movements of money of these filters are listed."""
    return f"{HOME}/payments?{urlencode(filters)}"


def unmatched_link(**filters: str) -> str:
    """Return where money that nobody knows what it is for is listed, by these filters."""
    return f"{HOME}/payments/unmatched?{urlencode(filters)}"


def bank_line_link(line: str) -> str:
    """Return where a line of a bank's statement is shown."""
    return f"{HOME}/payments/lines/{quote(line, safe='')}"


def payout_link(payout_id: str) -> str:
    """Return where a payout of a provider is shown."""
    return f"{HOME}/payments/payouts/{quote(payout_id, safe='')}"


def account_link(account: str, legal_entity: str = "", period: str = "") -> str:
    """Return where an account of the books is shown, up to a month."""
    query = {"account": account, "legal_entity": legal_entity, "period": period}
    said = urlencode({key: text for key, text in query.items() if text})
    return f"{HOME}/integrity/account?{said}"
