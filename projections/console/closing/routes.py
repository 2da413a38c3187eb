"""The pages of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import Controller

from projections.console.closing.month import MonthController
from projections.console.closing.month_acts import MonthActsController
from projections.console.closing.months import MonthsController

ROUTES: Final[Sequence[type[Controller]]] = (
    MonthsController,
    MonthController,
    MonthActsController,
)
