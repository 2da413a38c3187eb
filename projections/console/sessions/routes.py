"""The pages of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import Controller

from projections.console.sessions.deciding.pages import DecidingPages
from projections.console.sessions.energy import EnergyPages
from projections.console.sessions.frames import FramePages
from projections.console.sessions.listed import SessionPages

ROUTES: Final[Sequence[type[Controller]]] = (
    SessionPages,
    DecidingPages,
    FramePages,
    EnergyPages,
)
