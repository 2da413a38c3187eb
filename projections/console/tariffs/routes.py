"""The pages of tariffs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import Controller

from projections.console.tariffs.editing import EditController
from projections.console.tariffs.lists import TariffListController
from projections.console.tariffs.proposing import ProposingController
from projections.console.tariffs.tariff_page import TariffController

ROUTES: Final[Sequence[type[Controller]]] = (
    TariffListController,
    TariffController,
    EditController,
    ProposingController,
)
