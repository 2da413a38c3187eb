"""Which of the codes that decisions say are told to readers of documents, and which never are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.facts.flags import RULES
from ledger.invoices import english as invoices
from ledger.rating import english as rating
from tariffs.phrases import english as tariffs

NOT_TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    "why a session waits or is held: such a session stands on no document": (
        *(flag.value for flag, rule in RULES.items() if rule.blocks),
        "lost_stop.next_session",
        "start_unknown",
        "energy_unknown",
        "token_missing",
        "token_unknown",
        "token_blocked",
        "token_expired",
        "token_master_pass",
        "token_elsewhere",
        "token_untimely",
        "token_unasked",
        "customer_unknown",
        "station_undeclared",
        "site_undeclared",
        "tariff_missing",
        "currency_mismatch",
        "session_too_long",
        "told_too_late",
        "correction_waits",
        "disputed",
        "partner_undeclared",
        "retail_tariff_missing",
        "cdr_energy_unclear",
        "cdr_times_mixed",
        "cdr_price_unknown",
        "passed_on_vat_missing",
        "place_zone_unknown",
        "place_country_unknown",
    ),
    "why nothing was priced: an operator's matter": (
        *tariffs.REFUSALS,
        "pricing_refused",
        "rating_failed",
        "rating_inconsistent",
        "billed_twice",
        "net_not_of_lines",
        "tax_not_of_lines",
        "amount_absurd",
        "rating_incomplete",
    ),
    "who said when a session ended: no reader's business, who is told that somebody did": (
        "attested_by",
    ),
    "what the station reckoned itself: operators compare it": (
        "price_told_differs",
        "station_cost_differs",
        "station_period_differs",
        "limit_exceeded",
        "station_periods_more",
        "with_taxes",
        "before_taxes",
    ),
}
"""Codes without translation, by why; a code that is not here needs one in each catalogue."""

_ALL: Final = {
    **tariffs.SENTENCES,
    **tariffs.WORDS,
    **rating.SENTENCES,
    **rating.WORDS,
    **invoices.SENTENCES,
    **invoices.WORDS,
}
_LEFT_OUT: Final = frozenset(code for codes in NOT_TOLD.values() for code in codes)
TEMPLATES: Final = {code: text for code, text in _ALL.items() if code not in _LEFT_OUT}
"""By code what a document may have to say, in English: the message of context `code`."""
LABELS: Final = tariffs.LABELS


def label_context(code: str) -> str:
    """Return the context of a label in the catalogues."""
    return f"label:{code}"


def is_told(code: str) -> bool:
    """Return whether *code* is one for readers of documents; what is not has no translation."""
    return code not in _LEFT_OUT
