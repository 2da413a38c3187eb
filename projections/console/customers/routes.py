"""The pages of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import Controller

from projections.console.customers.listed import CustomerPages

ROUTES: Final[Sequence[type[Controller]]] = (CustomerPages,)
