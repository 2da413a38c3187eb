"""Ids of means of payment, as a provider gives them: a word, a line below, letters and digits.

Somebody types one, and what is typed is kept for ever: a number of a card or an account is none.
Source: Stripe's API reference, "PaymentMethods" (pm_...), "Cards" (card_...), "Sources" (src_...).
"""

from __future__ import annotations

import re
from typing import Final

from ledger.errors import LedgerError
from ledger.persons.card_numbers import has_card_number

_ID: Final = re.compile(r"[a-z]{1,20}_[A-Za-z0-9_]{1,100}", re.ASCII)


def check_method_id(text: str | None) -> None:
    """Refuse what is no id; None is for the payer to say.

    Raises:
        NoMethodIdError: If it is none.
    """
    if text is not None and (not _ID.fullmatch(text) or has_card_number(text)):
        raise NoMethodIdError


class NoMethodIdError(LedgerError):
    """What was typed as a means of payment is none; it is not shown: it may be a card's number."""

    def __init__(self) -> None:
        super().__init__(
            "a method is the provider's id of it, as pm_1Pq or, with a test key, pm_card_visa; "
            "numbers of cards and accounts are typed nowhere here: the payer's own device has them"
        )
