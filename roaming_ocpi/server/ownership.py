"""Whose an object is: a party writes what is its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.partners.party import BadPartyError, party_named
from roaming_ocpi.server.calls import Caller, OcpiRefusedError, PartnerCall


def own(call: PartnerCall, country: str, party_id: str) -> str:
    """Return the party that *country* and *party_id* name, one for which the caller may speak.

    Raises:
        OcpiRefusedError: If they name no party (400), or one that is not the caller's (403).
    """
    return own_party(call.caller, country, party_id)


def own_party(caller: Caller, country: object, party_id: object) -> str:
    """As `own`, of values as they came in a partner's JSON."""
    if not isinstance(country, str) or not isinstance(party_id, str):
        message = "country_code and party_id must be texts"
        raise OcpiRefusedError.invalid(message)
    try:
        party = party_named(country, party_id)
    except BadPartyError as error:
        raise OcpiRefusedError.invalid(str(error)) from None
    if party not in caller.parties:
        message = f"{party} is not yours: this token speaks for {', '.join(sorted(caller.parties))}"
        raise OcpiRefusedError.forbidden(message)
    return party


def check_owner(caller: Caller, path: Mapping[str, str], body: Any) -> None:  # noqa: ANN401 - JSON
    """Refuse to write what another party's path or object is.

    Source: OCPI 2.2.1, client owned object push: the party in the path is the object's owner.

    Raises:
        OcpiRefusedError: If either is another's, or they differ.
    """
    party = None
    if "country_code" in path and "party_id" in path:
        party = own_party(caller, path["country_code"], path["party_id"])
    if not isinstance(body, dict):
        return
    country, party_id = body.get("country_code"), body.get("party_id")
    if country is None and party_id is None:
        return
    if None in (country, party_id):
        # A PATCH may bring one of them: what it does not say stands in the path.
        country = path.get("country_code") if country is None else country
        party_id = path.get("party_id") if party_id is None else party_id
    said = own_party(caller, country, party_id)
    if party is not None and said != party:
        message = f"the object is {said}'s and the path {party}'s: they must be one party"
        raise OcpiRefusedError.invalid(message)
