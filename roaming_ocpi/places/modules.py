"""What is offered of places: locations, tariffs, and who is reached through a hub."""

from __future__ import annotations

from collections.abc import Sequence

from roaming_ocpi.places.hub_clients import HubClients
from roaming_ocpi.places.location_receiver import LocationReceiver
from roaming_ocpi.places.ours.location_sender import LocationSender
from roaming_ocpi.places.ours.tariff_sender import TariffSender
from roaming_ocpi.places.tariff_receiver import TariffReceiver
from roaming_ocpi.server.calls import Module
from roaming_ocpi.server.resources import Resources


def places_modules(resources: Resources) -> Sequence[Module]:
    """Return the modules of places."""
    return (
        LocationSender(resources).module(),
        LocationReceiver(resources.database, resources.told).module(),
        TariffSender(resources).module(),
        *TariffReceiver(resources.database, resources.told).modules(),
        *HubClients(resources).modules(),
    )
