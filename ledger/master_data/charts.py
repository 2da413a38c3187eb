"""Charts of accounts: what a company's own books call the accounts of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

ANY: Final = "*"
"""At the end of an account: whatever follows. As the key of a chart: of every legal entity."""
POSTED: Final = (
    "receivable", "expected_tax", "vat", "tax", "revenue", "rounding", "prepayments", "cash"
)  # fmt: skip
"""What accounts of ours begin with (`ledger.books.accounts`)."""
FAMILIES: Final = (*POSTED, "fees", "disputes", "exchange", "payable", "cost", "input_tax")
"""And what more a chart may have: accounts to which payments and roaming are to post."""


class ChartAccount(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An account as other books have it; "" for what they do not need."""

    number: str
    name: str = ""
    tax_code: str = ""


class ChartOfAccounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accounts by ours; its key is a legal entity's, or ANY."""

    accounts: dict[str, ChartAccount]


def find_account(accounts: Mapping[str, ChartAccount], account: str) -> ChartAccount | None:
    """Return what *account* is called: itself goes first, then the longest beginning with ANY."""
    exact = accounts.get(account)
    if exact is not None:
        return exact
    for length in range(len(account), -1, -1):
        found = accounts.get(account[:length] + ANY)
        if found is not None:
            return found
    return None
