"""What PATCH does to an object. Source: OCPI 2.2.1, 4.1.2, transport_and_format, PATCH."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.fields import JsonFields, shown


def merge(
    value: Mapping[str, Any], patch: Mapping[str, Any], *, added: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return *value* with what *patch* says.

    A field that is absent stays, one that is null goes, any other is replaced whole: lists and
    objects, too. Of a Session's `charging_periods` (*added*) the new ones come on top, and one that
    is there already is no new one: a patch whose answer was lost is sent again.

    Raises:
        OcpiError: If the patch has no `last_updated`, which must be a moment, or something else
            where a list of what is new must be.

    Source: OCPI 2.2.1, mod_locations and mod_sessions, PATCH method.
    """
    moment_of(patch)
    merged = dict(value)
    for key, given in patch.items():
        if key in added:
            known = merged.get(key)
            if not isinstance(given, list | None):
                raise OcpiError(key, f"must be a list, not {shown(given)}")
            every = [*(known if isinstance(known, list) else ()), *(given or ())]
            if given:
                merged[key] = list({encoded(each): each for each in every}.values())
        elif given is None:
            merged.pop(key, None)
        else:
            merged[key] = given
    return merged


def moment_of(value: object) -> datetime:
    """Return when an object was last updated, in UTC.

    Raises:
        OcpiError: If it is no object, or does not say so.
    """
    return JsonFields(value, "", []).required_moment("last_updated")


def is_late(known: datetime, given: datetime, now: datetime) -> bool:
    """Whether what was *given* says how an object was before it was as *known*.

    A moment that lies ahead is not believed: a clock that was wrong once would end all updates.
    """
    return given < known <= now
