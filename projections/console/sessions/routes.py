"""The pages of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import Controller

from projections.console.sessions.deciding import DecidingController
from projections.console.sessions.energy import EnergyController
from projections.console.sessions.frames import FramesController
from projections.console.sessions.listed import SessionsController

ROUTES: Final[Sequence[type[Controller]]] = (
    SessionsController,
    DecidingController,
    FramesController,
    EnergyController,
)
