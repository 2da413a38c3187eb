"""The pages of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import Controller

from projections.console.access.coming import ComingController
from projections.console.access.linked import LinkedController
from projections.console.access.me import MeController

ROUTES: Final[Sequence[type[Controller]]] = (ComingController, LinkedController, MeController)
