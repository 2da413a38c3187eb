"""The pages of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import Controller

from projections.console.integrity.account import AccountController
from projections.console.integrity.page import IntegrityController

ROUTES: Final[Sequence[type[Controller]]] = (IntegrityController, AccountController)
