"""What stations and connectors are doing, in words: our states, and OCPP's statuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from projections.console.page import ConsolePage
from projections.stations.now import STATES

STATE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "connected": "Connected",
        "not_connected": "Not connected",
        "faulted": "Faulted",
        "charging": "With a running session",
    }
)
STATUS_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "": "No status told",
        "Available": "Available",
        "Preparing": "Preparing",
        "Charging": "Charging",
        "SuspendedEV": "Suspended by the vehicle",
        "SuspendedEVSE": "Suspended by the station",
        "Finishing": "Finishing",
        "Occupied": "Occupied",
        "Reserved": "Reserved",
        "Unavailable": "Unavailable",
        "Faulted": "Faulted",
    }
)
"""Source: OCPP 1.6, ChargePointStatus; OCPP 2.0.1, ConnectorStatusEnumType."""


def status_words(page: ConsolePage, status: str | None) -> str:
    """Return a connector's status in the reader's words; one of no standard as it was told."""
    known = STATUS_WORDS.get(status or "")
    return page.text(known) if known else str(status)


def state_choices(page: ConsolePage, statuses: Iterable[str]) -> list[tuple[str, str]]:
    """Return what the list of stations can be cut to, with what is told anywhere now."""
    ours = [(each, page.text(STATE_WORDS[each])) for each in STATES]
    told = [
        (each, page.text("Connector: {status}", status=status_words(page, each)))
        for each in statuses
        if each and each not in STATE_WORDS
    ]
    return [("", page.text("Any")), *ours, *told]
