"""Ids as partners see them: made of ours, bounded, and always the same for the same thing.

OCPI's ids are CiStrings: two that differ by case alone are one. So of our keys only those stand as
they are that cannot fall together with another one; all others get a digest at their end.

    site "harbour"                 location "harbour"
    site "Harbour"                 location "Harbour-r3tm4kz2wq5a"
    tariff "day", a session's own  tariff "day*4qz7k2mw3c5a"
    station "HB-07", EVSE 1        EVSE uid "HB-07*1", EVSE id "DE*HBC*EHB*07*1"
    station "hb 07", EVSE 1        EVSE uid "hb-07-4q...*1", EVSE id "DE*HBC*EHB*07*4Q...*1"

Sources: OCPI 2.2.1, types, CiString; mod_locations, EVSE object (uid, evse_id by eMI3 and ISO
15118); mod_sessions and mod_cdrs (ids of 36 characters).
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import Final

ID_MAX: Final = 36
NOT_APPLICABLE: Final = "#NA"
"""Of an EVSE or connector that nobody named. Source: OCPI 2.2.1, mod_cdrs, CdrLocation."""

_SITE: Final = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_TARIFF: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]*")
_STATION: Final = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)*")
_UNFIT: Final = re.compile(r"[^A-Za-z0-9]+")
_DIGEST: Final = 12
_LONG_DIGEST: Final = 20
"""100 bits: of a milliard of sessions no two meet."""
_NUMBER_MAX: Final = 6
_OUTLET_MAX: Final = 31
"""Of an EVSE id behind its E (ISO 15118-2, annex H)."""
_PREFIX_MAX: Final = ID_MAX - _LONG_DIGEST - 1
_BASE32: Final = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS: Final = [first + second for first in _BASE32 for second in _BASE32]
"""What two characters of Base32 (RFC 4648) say, by their ten bits: every digest has an even
number of them."""


def location_id(site_id: str) -> str:
    """Return the id of the Location that a site is (at most 36 characters)."""
    return _bounded(site_id, _SITE, ID_MAX)


def evse_uid(station_id: str, evse: int | None) -> str:
    """Return the uid of an EVSE of a station (at most 36 characters)."""
    if evse is None:
        return NOT_APPLICABLE
    return f"{_bounded(station_id, _STATION, ID_MAX - _NUMBER_MAX - 1)}*{_numbered(evse)}"


def evse_id(party: str, station_id: str, evse: int | None) -> str:
    """Return the EVSE id by eMI3: *party* ("DE-HBC") operates it (at most 40 characters)."""
    if evse is None:
        return NOT_APPLICABLE
    station = _bounded(station_id, _STATION, _OUTLET_MAX - _NUMBER_MAX - 1)
    outlet = f"{station}*{_numbered(evse)}".upper()
    return f"{party}*E{outlet}".replace("-", "*")


def connector_id(connector: int | None) -> str:
    """Return the id of a connector within its EVSE."""
    return NOT_APPLICABLE if connector is None else str(connector)


def tariff_id_of(tariff_id: str) -> str:
    """Return the id under which a tariff of ours is told to partners (at most 36 characters)."""
    return _bounded(tariff_id, _TARIFF, ID_MAX)


def made_tariff_id(tariff_id: str, content: str) -> str:
    """Return the id of a tariff made for a session, from the one that it stands for, as told.

    No published one has an asterisk in its id: whoever prices by what was published looks for none.
    What says the same has the same id.
    """
    return f"{tariff_id[: ID_MAX - _DIGEST - 1]}*{_digest(content, _DIGEST)}"


def wire_session_id(session_id: str) -> str:
    """Return the id under which partners know a session (at most 36 characters).

    Ours names station, transaction and start; it is too long, and has slashes.
    """
    return _named(session_id, session_id)


def wire_cdr_id(session_id: str, revision: int, kind: str) -> str:
    """Return the id of the CDR of one revision of a session (at most 36 characters).

    One that takes another back is another *kind*. No two of all stations and revisions share one:
    a station's own number of a transaction begins anew with each restart.
    """
    return _named(session_id, f"{kind}\0{revision}\0{session_id}")


def _named(session_id: str, what: str) -> str:
    """Return a prefix that people know the station by, and what tells *what* from all others."""
    station = session_id.partition("/")[0]
    prefix = _UNFIT.sub("-", station).strip("-")[:_PREFIX_MAX]
    return f"{prefix}-{_digest(what, _LONG_DIGEST)}" if prefix else _digest(what, _LONG_DIGEST)


@lru_cache(maxsize=1 << 14)
def _bounded(key: str, fit: re.Pattern[str], length: int) -> str:
    if len(key) <= length and fit.fullmatch(key):
        return key
    prefix = _UNFIT.sub("-", key).strip("-")[: length - _DIGEST - 1]
    return f"{prefix}-{_digest(key, _DIGEST)}" if prefix else _digest(key, _DIGEST)


def _numbered(evse: int) -> str:
    text = str(evse)
    return text if len(text) <= _NUMBER_MAX else _digest(text, _NUMBER_MAX)


def _digest(text: str, length: int) -> str:
    raw = sha256(text.encode("utf-8", "surrogatepass")).digest()
    # Of five bits a character, and two characters at once.
    number = int.from_bytes(raw) >> (len(raw) * 8 - length * 5)
    return "".join([_PAIRS[number >> at & 0x3FF] for at in range(length * 5 - 10, -1, -10)])
