"""The pages of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import Controller

from projections.console.payments.bank_line import BankLinePage
from projections.console.payments.disputed import DisputesPage
from projections.console.payments.moved import MovementsPage
from projections.console.payments.one_movement import OneMovementPage
from projections.console.payments.paid_out import PayoutsPage
from projections.console.payments.unmatched import UnmatchedPage

ROUTES: Final[Sequence[type[Controller]]] = (
    MovementsPage,
    UnmatchedPage,
    BankLinePage,
    OneMovementPage,
    PayoutsPage,
    DisputesPage,
)
