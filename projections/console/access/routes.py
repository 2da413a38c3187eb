"""The pages of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import Controller

from projections.console.access.coming import ComingController
from projections.console.access.drivers import DriversController
from projections.console.access.keys import KeysController
from projections.console.access.linked import LinkedController
from projections.console.access.me import MeController
from projections.console.access.people import PeopleController
from projections.console.access.provider import ProviderController

ROUTES: Final[Sequence[type[Controller]]] = (
    ComingController,
    LinkedController,
    MeController,
    PeopleController,
    ProviderController,
    KeysController,
    DriversController,
)
