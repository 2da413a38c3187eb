"""An object that a partner pushes, as far as any module must look at it before it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from ledger.partners.party import party_named
from roaming_ocpi.server.calls import OcpiRefusedError, PartnerCall
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.merging import moment_of
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.fields import shown

YEARS: Final = range(1970, 9000)
"""Of moments that are kept: the database and we reckon with no others."""
_ROOT: Final = ""
_UPDATED: Final = "last_updated"
LATE: Final = "kept as it was: what is known here was updated later"


@contextmanager
def refusals() -> Iterator[None]:
    """Refuse a request whose body a reader refuses, with the spot where."""
    try:
        yield
    except OcpiError as error:
        raise OcpiRefusedError.invalid(str(error)) from None


def taken_object(call: PartnerCall, *, id_key: str | None, id_path: str, partial: bool) -> Tree:
    """Return the object that *call* pushes, whose tree was checked when it was read.

    Its id (*id_key*) is the path's (*id_path*), whatever the case of either; a whole one has it.

    Raises:
        OcpiRefusedError: If it is no object, has another id or no `last_updated`.
    """
    with refusals():
        body = call.body
        if not isinstance(body, dict):
            raise OcpiError(_ROOT, f"must be an object, not {shown(body)}")
        updated_at(body)
        given = body.get(id_key) if id_key is not None else None
        if id_key is not None and not (partial and id_key not in body):
            path = call.path[id_path]
            if not isinstance(given, str) or given.lower() != path.lower():
                raise OcpiError(id_key, f"must be the path's {shown(path)}, not {shown(given)}")
    return dict(body)


def updated_at(value: object) -> datetime:
    """Return an object's `last_updated`.

    Raises:
        OcpiError: If it has none, or one in no year to reckon with.
    """
    moment = moment_of(value)
    if moment.year not in YEARS:
        raise OcpiError(_UPDATED, f"lies in {moment.year}: no year to reckon with")
    return moment


def path_party(call: PartnerCall) -> str:
    """Return the party in the path of *call*; the server has checked that it is the caller's."""
    return party_named(call.path["country_code"], call.path["party_id"])


def path_id(call: PartnerCall, name: str, length: int) -> str:
    """Return an id in the path as it is looked up: OCPI's ids do not know case.

    Raises:
        OcpiRefusedError: If it is longer than any.
    """
    text = call.path[name].lower()
    if not text.strip() or len(text) > length:
        message = f"{name} has 1 to {length} characters"
        raise OcpiRefusedError.invalid(message)
    return text
