"""What partners' CPOs call at us: the modules of this room."""

from __future__ import annotations

from collections.abc import Sequence

from roaming_ocpi.incoming.taking.intake import PartnerIntake
from roaming_ocpi.incoming.taking.receiver import IncomingReceiver
from roaming_ocpi.server.calls import Module
from roaming_ocpi.server.resources import Resources


def incoming_modules(resources: Resources) -> Sequence[Module]:
    """Return the modules by which CDRs and sessions come in."""
    intake = PartnerIntake(resources.database, resources.log, resources.told)
    return IncomingReceiver(intake, resources.address).modules()
