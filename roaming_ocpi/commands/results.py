"""What came of a command, as each version and kind of it has words for that.

    our word              2.1.1           2.2.1 and 2.3.0       of a charging profile
    ACCEPTED              ACCEPTED        ACCEPTED              ACCEPTED
    REJECTED              REJECTED        REJECTED              REJECTED
    EVSE_OCCUPIED         REJECTED        EVSE_OCCUPIED         REJECTED
    EVSE_INOPERATIVE      REJECTED        EVSE_INOPERATIVE      REJECTED
    FAILED                REJECTED        FAILED                REJECTED
    UNKNOWN_RESERVATION   REJECTED        UNKNOWN_RESERVATION   REJECTED
    NOT_SUPPORTED         NOT_SUPPORTED   NOT_SUPPORTED         REJECTED
    TIMEOUT               TIMEOUT         TIMEOUT               UNKNOWN

Source: OCPI 2.1.1, mod_commands, CommandResponseType; OCPI 2.2.1, mod_commands, CommandResultType;
mod_charging_profiles, ChargingProfileResultType.
"""

from __future__ import annotations

from typing import Any, Final

from ledger.partners.station_calls import CalledStation, StationResult
from roaming_ocpi.commands.requests import PROFILE_KINDS, CommandKind
from tariffs.ocpi.versions import OcpiVersion

_OLD_WORDS: Final = frozenset(
    {
        StationResult.ACCEPTED,
        StationResult.REJECTED,
        StationResult.NOT_SUPPORTED,
        StationResult.TIMEOUT,
    }
)


def result_body(kind: CommandKind, version: OcpiVersion, found: CalledStation) -> dict[str, Any]:
    """Return the object that is posted to the partner."""
    result = found.result
    if kind in PROFILE_KINDS:
        word = _of_profile(result)
        if kind is CommandKind.GET_PROFILE and word == "ACCEPTED":
            # Without a profile there is nothing that was accepted.
            if found.profile is None:
                return {"result": "REJECTED"}
            return {"result": word, "profile": dict(found.profile)}
        return {"result": word}
    if version is OcpiVersion.V2_1_1 and result not in _OLD_WORDS:
        result = StationResult.REJECTED
    return {"result": str(result)}


def _of_profile(result: StationResult) -> str:
    if result is StationResult.TIMEOUT:
        return "UNKNOWN"
    return "ACCEPTED" if result is StationResult.ACCEPTED else "REJECTED"
