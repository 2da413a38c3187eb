"""A proposal of what money was for that is withdrawn: what is typed, and what was before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from litestar.exceptions import ValidationException

from ledger.desk.withdrawing.withdrawn import REASON_MAX, Withdrawal, WithdrawnProposal
from projections.console.listing import Listing
from projections.console.page import ConsolePage
from projections.console.parts.typed_form import TypedForm
from projections.console.parts.withdrawn_list import withdrawn_listing


def withdrawal_of(page: ConsolePage, form: TypedForm) -> Withdrawal:
    """Return who withdraws a proposal, and why.

    Raises:
        ValidationException: If the form does not say why.
    """
    because = form.of("because")
    if not because or len(because) > REASON_MAX:
        message = page.text("Say why, in at most {count} characters.", count=REASON_MAX)
        raise ValidationException(message)
    return Withdrawal(page.user.name, because, page.now)


def withdrawn_matches(
    page: ConsolePage, found: Sequence[WithdrawnProposal], zone: tzinfo
) -> Listing | None:
    """Return what was proposed and withdrawn; None: nothing was."""
    return withdrawn_listing(page, found, zone, lambda _: page.text("What it was for"))
