"""Every operation of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import Controller

from deploy.api.customers import ROUTES as CUSTOMER_ROUTES
from deploy.api.deciding import ROUTES as DECIDING_ROUTES
from deploy.api.documents import ROUTES as DOCUMENT_ROUTES
from deploy.api.journal import ROUTES as JOURNAL_ROUTES
from deploy.api.live import ROUTES as LIVE_ROUTES
from deploy.api.master_data import ROUTES as MASTER_DATA_ROUTES
from deploy.api.matches import ROUTES as MATCH_ROUTES
from deploy.api.payments import ROUTES as PAYMENT_ROUTES
from deploy.api.quotes import ROUTES as QUOTE_ROUTES
from deploy.api.reports import ROUTES as REPORT_ROUTES
from deploy.api.sessions import ROUTES as SESSION_ROUTES
from deploy.api.tariffs import ROUTES as TARIFF_ROUTES

API_ROUTES: Final[Sequence[type[Controller]]] = (
    *SESSION_ROUTES,
    *DECIDING_ROUTES,
    *LIVE_ROUTES,
    *DOCUMENT_ROUTES,
    *TARIFF_ROUTES,
    *QUOTE_ROUTES,
    *PAYMENT_ROUTES,
    *MATCH_ROUTES,
    *JOURNAL_ROUTES,
    *CUSTOMER_ROUTES,
    *REPORT_ROUTES,
    *MASTER_DATA_ROUTES,
)
