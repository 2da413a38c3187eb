"""What asking partners for lists has in common, whatever is listed."""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.declared.declarations import Declarations, Kind
from ledger.partners.bounds import TooMuchToldError
from roaming_ocpi.errors import RoamingError


def parties_of(declared: Declarations, partner: str, at: datetime) -> frozenset[str]:
    """Return for whom *partner* may speak: itself, and who is reached through it."""
    behind = {
        party
        for party in declared.keys(Kind.PARTNER)
        if (found := declared.partner(party, at)) is not None and found.hub == partner
    }
    return frozenset({partner, *behind})


def asked_since(moment: datetime) -> str:
    """Return *moment* as a list's date_from: whole seconds, which every partner reads."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def problem_of(error: Exception) -> str:
    """Return why a list came to no end, in words of ours that quote nobody."""
    # The client's and the bounds' repeat nothing that came.
    if isinstance(error, (RoamingError, TooMuchToldError)):
        return str(error)
    return f"it could not be kept ({type(error).__name__})"
