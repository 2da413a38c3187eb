"""Differences between versions of OCPI that are built otherwise, not only named otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from roaming_ocpi.wire.differences import (
    LEFT_OUT,
    NOT_SAID,
    REQUIRED,
    Passage,
    Tree,
    UnsayableError,
    at,
    first_object,
    object_of,
)
from roaming_ocpi.wire.kinds import ObjectKind
from tariffs.kernel.priced import Note
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tariffs.ocpi.tariff_writer import write_tariff
from tariffs.ocpi.versions import OcpiVersion
from tariffs.quantities import EXACT, is_sane, plain

VAT: Final = "VAT"
_PARTY: Final = ("country_code", "party_id", "business_details")
_PLACE: Final = ("id", "name", "address", "city", "postal_code", "state", "country", "coordinates")
_PLUG: Final = {
    "connector_standard": "standard",
    "connector_format": "format",
    "connector_power_type": "power_type",
}
NEWER_OF: Final = {
    OcpiVersion.V2_1_1: OcpiVersion.V2_2_1,
    OcpiVersion.V2_2_1: OcpiVersion.V2_3_0,
}


@dataclass(frozen=True, slots=True)
class TaxedPrice:
    """2.3.0's Price names each tax; 2.2.1's has the sum with them.

    Sources: OCPI 2.2.1 and 2.3.0, types, Price class.
    """

    key: str

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Sum the taxes up."""
        price = tree.get(self.key)
        if not isinstance(price, dict) or "before_taxes" not in price:
            return
        said = dict(price)
        before, taxes = said.pop("before_taxes"), said.pop("taxes", None)
        written = {"excl_vat": before}
        # What is no list names no tax that could be added up.
        named = taxes if isinstance(taxes, list) else [taxes]
        amounts = [_number(object_of(tax).get("amount")) for tax in named]
        net = _number(before)
        if taxes is not None and net is not None and None not in amounts:
            total = net
            for amount in amounts:
                total = EXACT.add(total, amount or Decimal(0))
            written["incl_vat"] = plain(total)
        elif taxes is not None:
            passage.note(NOT_SAID, "its taxes are no numbers to add up", at(spot, self.key))
        if taxes is not None and (len(amounts) > 1 or _names_who(named)):
            message = f"OCPI {passage.version} has one amount with taxes and does not name them"
            passage.note(NOT_SAID, message, at(spot, f"{self.key}.taxes"))
        tree[self.key] = written | said

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Name the difference VAT; no rate is guessed."""
        del spot, passage
        price = tree.get(self.key)
        if not isinstance(price, dict) or "excl_vat" not in price:
            return
        said = dict(price)
        before, after = said.pop("excl_vat"), said.get("incl_vat")
        written: Tree = {"before_taxes": before}
        net, gross = _number(before), _number(after)
        if net is not None and gross is not None:
            del said["incl_vat"]
            written["taxes"] = [{"name": VAT, "amount": plain(EXACT.subtract(gross, net))}]
        tree[self.key] = written | said


@dataclass(frozen=True, slots=True)
class BarePrice:
    """2.2.1's Price is a number without taxes in 2.1.1."""

    key: str

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say the amount before taxes alone."""
        price = tree.get(self.key)
        if not isinstance(price, dict) or "excl_vat" not in price:
            return
        tree[self.key] = price["excl_vat"]
        if price.get("incl_vat") is not None and str(price["incl_vat"]) != str(price["excl_vat"]):
            message = f"OCPI {passage.version} states no taxes"
            passage.note(NOT_SAID, message, at(spot, f"{self.key}.incl_vat"))

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say the number as the amount before taxes."""
        del spot, passage
        if _number(tree.get(self.key)) is not None:
            tree[self.key] = {"excl_vat": tree[self.key]}


@dataclass(frozen=True, slots=True)
class OneTariffId:
    """2.1.1 has one tariff at a connector."""

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say the first, which goes before the others."""
        ids = tree.pop("tariff_ids", None)
        if isinstance(ids, list) and ids:
            tree["tariff_id"] = ids[0]
            if len(ids) > 1:
                message = f"OCPI {passage.version} has one tariff at a connector, the first"
                passage.note(NOT_SAID, message, at(spot, "tariff_ids"))

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say a list of one."""
        del spot, passage
        if "tariff_id" in tree:
            one = tree.pop("tariff_id")
            tree["tariff_ids"] = [] if one is None else [one]


@dataclass(frozen=True, slots=True)
class EitherHours:
    """2.1.1 says regular hours or that it is always open, never both."""

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say the one that holds."""
        del spot, passage
        if tree.get("twentyfourseven") is True:
            tree.pop("regular_hours", None)
        elif tree.get("regular_hours"):
            tree.pop("twentyfourseven", None)

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say both."""
        del spot, passage
        if "twentyfourseven" not in tree and "regular_hours" in tree:
            tree["twentyfourseven"] = False


@dataclass(frozen=True, slots=True)
class ContractAlone:
    """2.1.1's sessions and CDRs name the contract, and no token."""

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say the contract, or the uid where there is none."""
        token = tree.pop("cdr_token", None)
        if not isinstance(token, dict):
            return
        tree["auth_id"] = token.get("contract_id") or token.get("uid")
        if token.get("uid") not in (None, tree["auth_id"]):
            message = f"OCPI {passage.version} names the contract, not the token"
            passage.note(NOT_SAID, message, at(spot, "cdr_token.uid"))

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say a token of which the contract alone is known."""
        del spot, passage
        if "auth_id" in tree:
            tree["cdr_token"] = {"contract_id": tree.pop("auth_id")}


@dataclass(frozen=True, slots=True)
class WholeLocation:
    """2.1.1's sessions and CDRs contain the Location, with the EVSE and connector that were used.

    In the model it may stand at `location` beside what newer versions say, which then drop it.
    """

    cdr: bool = False

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say the location, and no ids."""
        place = tree.pop("cdr_location", None)
        ids = [tree.pop(key, None) for key in ("location_id", "evse_uid", "connector_id")]
        location = tree.get("location")
        if isinstance(location, dict):
            # It is told to who charged there, whoever else may not be shown it.
            shown = {key: location[key] for key in location if not key.startswith("publish")}
            tree["location"] = passage.nested(ObjectKind.LOCATION, shown, at(spot, "location"))
        elif isinstance(place, dict):
            built = _location_of(place, tree.get("last_updated"))
            tree["location"] = passage.nested(ObjectKind.LOCATION, built, at(spot, "location"))
            message = f"OCPI {passage.version} requires voltage and amperage of the connector"
            passage.note(REQUIRED, message, at(spot, "location"))
        elif any(each is not None for each in ids) or not passage.is_partial:
            message = f"OCPI {passage.version} requires the location itself"
            passage.note(REQUIRED, message, at(spot, "location"))

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say the ids, or a CDR's extract; the location stays beside them."""
        location = tree.get("location")
        if not isinstance(location, dict):
            return
        location = tree["location"] = passage.nested(
            ObjectKind.LOCATION, location, at(spot, "location")
        )
        evse = first_object(location.get("evses"))
        plug = first_object(evse.get("connectors"))
        if self.cdr:
            tree["cdr_location"] = _extract(location, evse, plug)
            return
        found = (("location_id", location.get("id")), ("evse_uid", evse.get("uid")))
        for key, value in (*found, ("connector_id", plug.get("id"))):
            if value is not None:
                tree[key] = value


@dataclass(frozen=True, slots=True)
class OneParty:
    """2.1.1's credentials are of one party and do not tell its role."""

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say the first role's party."""
        roles = tree.pop("roles", None)
        for key, value in first_object(roles).items():
            if key in _PARTY:
                tree[key] = value
        if isinstance(roles, list) and len({_party_of(role) for role in roles}) > 1:
            message = f"OCPI {passage.version} has one party in credentials, the first"
            passage.note(NOT_SAID, message, at(spot, "roles"))

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say one role, which nobody tells."""
        del spot, passage
        party = {key: tree.pop(key) for key in _PARTY if key in tree}
        if party:
            tree["roles"] = [party]


@dataclass(frozen=True, slots=True)
class NumberedReservation:
    """2.1.1's reservations have whole numbers for ids."""

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say the number."""
        text = tree.get("reservation_id")
        if isinstance(text, str):
            if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - an int
                why = f"OCPI {passage.version} has whole numbers for reservations"
                raise UnsayableError(at(spot, "reservation_id"), why)
            tree["reservation_id"] = int(text)

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say its text."""
        del spot, passage
        number = tree.get("reservation_id")
        if isinstance(number, int) and not isinstance(number, bool):
            tree["reservation_id"] = str(number)


@dataclass(frozen=True, slots=True)
class KnownDimensions:
    """Dimensions of a charging period that the older version does not know."""

    dimensions: frozenset[str]

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Leave them out."""
        listed = tree.get("dimensions")
        if not isinstance(listed, list):
            return
        kept = []
        for one in listed:
            kind = object_of(one).get("type")
            if isinstance(kind, str) and kind in self.dimensions:
                message = f"OCPI {passage.version} has no dimension {kind}"
                passage.note(LEFT_OUT, message, at(spot, "dimensions"))
            else:
                kept.append(one)
        tree["dimensions"] = kept

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Nothing: what the newer version does not know survives."""


@dataclass(frozen=True, slots=True)
class RewrittenTariff:
    """A tariff is read into the model of tariffs and written from it (`tariffs.ocpi`).

    One that cannot be priced stays as it is, with a note.
    """

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Write it in the older version."""
        _rewrite(tree, spot, passage, NEWER_OF[passage.older], passage.older)

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Write it in the newer version."""
        _rewrite(tree, spot, passage, passage.older, NEWER_OF[passage.older])


def _rewrite(
    tree: Tree, spot: str, passage: Passage, read: OcpiVersion, written: OcpiVersion
) -> None:
    if passage.is_partial:
        return
    try:
        found = ocpi_tariff_of(tree, version=read)
    except OcpiError as error:
        passage.note("unreadable", f"the tariff stays as it is: {error}", spot)
        return
    unknown = {note.spot for note in found.notes if note.code == "unknown_field"}
    kept = {key: value for key, value in tree.items() if key in unknown}
    said, lost = write_tariff(found.tariff, written, carried=found.carried)
    notes: tuple[Note, ...] = (*found.notes, *lost)
    for each in notes:
        if each.code != "unknown_field" and not (each.code == REQUIRED and each.spot in _PARTY):
            passage.note(each.code, each.message, at(spot, each.spot) if each.spot else spot)
    tree.clear()
    tree.update(said | kept)


def _location_of(place: Mapping[str, Any], moment: object) -> Tree:
    """Return a CDR's extract of a Location as one with an EVSE and a connector."""
    plug: Tree = {"id": place.get("connector_id"), "last_updated": moment}
    plug |= {older: place[newer] for newer, older in _PLUG.items() if newer in place}
    evse: Tree = {"uid": place.get("evse_uid"), "status": "UNKNOWN"}
    if "evse_id" in place:
        evse["evse_id"] = place["evse_id"]
    evse |= {"connectors": [plug], "last_updated": moment}
    location = {key: place[key] for key in _PLACE if key in place}
    return location | {"evses": [evse], "last_updated": moment}


def _extract(location: Mapping[str, Any], evse: Mapping[str, Any], plug: Mapping[str, Any]) -> Tree:
    """Return what a CDR says of a Location since 2.2."""
    extract = {key: location[key] for key in _PLACE if key in location}
    extract |= {"evse_uid": evse.get("uid"), "evse_id": evse.get("evse_id")}
    extract["connector_id"] = plug.get("id")
    extract |= {newer: plug.get(older) for newer, older in _PLUG.items()}
    return {key: value for key, value in extract.items() if value is not None}


def _party_of(role: object) -> tuple[str, str]:
    found = object_of(role)
    return str(found.get("country_code")), str(found.get("party_id"))


def _names_who(taxes: object) -> bool:
    return isinstance(taxes, list) and any(object_of(tax).get("account_number") for tax in taxes)


def _number(value: object) -> Decimal | None:
    """Return *value* where it is a number to reckon with."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return number if is_sane(number) else None
