"""Every module that we offer to partners, in one list."""

from __future__ import annotations

from collections.abc import Sequence

from roaming_ocpi.cdrs.telling.sender import cdrs_module
from roaming_ocpi.commands.modules import commands_modules
from roaming_ocpi.incoming.modules import incoming_modules
from roaming_ocpi.places.modules import places_modules
from roaming_ocpi.registration.receiving import credentials_module
from roaming_ocpi.server.calls import Module
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.sessions.module import SessionsSender
from roaming_ocpi.settlement.invoices.record_modules import InvoiceRecords
from roaming_ocpi.tokens.modules import tokens_modules


def offered_modules(resources: Resources) -> Sequence[Module]:
    """Return the modules of both our sides, over *resources*."""
    return (
        credentials_module(resources),
        *places_modules(resources),
        cdrs_module(resources),
        *SessionsSender(resources.database).modules(),
        *tokens_modules(resources),
        *commands_modules(resources),
        *incoming_modules(resources),
        *InvoiceRecords(resources.database, resources.told).modules(),
    )
