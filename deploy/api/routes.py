"""Every operation of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import Controller

from deploy.api.documents import ROUTES as DOCUMENT_ROUTES
from deploy.api.quotes import ROUTES as QUOTE_ROUTES
from deploy.api.sessions import ROUTES as SESSION_ROUTES
from deploy.api.tariffs import ROUTES as TARIFF_ROUTES

API_ROUTES: Final[Sequence[type[Controller]]] = (
    *SESSION_ROUTES,
    *DOCUMENT_ROUTES,
    *TARIFF_ROUTES,
    *QUOTE_ROUTES,
)
