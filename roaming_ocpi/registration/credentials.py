"""The credentials object: ours written and a partner's read, as each version has it.

Source: OCPI 2.1.1, 2.2.1 and 2.3.0, credentials. 2.1.1 has one party, later versions roles; of
2.3.0, `hub_party_id` is read and not written: we are no hub.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ledger.partners.party import BadPartyError, party_named
from roaming_ocpi.client.addresses import partner_url
from roaming_ocpi.client.answers import ForbiddenAddressError
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.spelling import UnfitTokenError, checked_token
from roaming_ocpi.registration.terms import PartnerTerms
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.fields import JsonFields
from tariffs.ocpi.versions import OcpiVersion

ROLES_MAX: Final = 1_000
"""Of 2.3.0's hubs, which name everybody whom they reach."""
_NAME_MAX: Final = 100
_ROLES: Final = "roles"
_COUNTRY_LETTERS: Final = 2


class TheirCredentials(NamedTuple):
    """What a partner's credentials object says; `parties` for which it speaks, by its own word."""

    token: str
    url: str
    parties: tuple[str, ...]

    def __repr__(self) -> str:
        return f"TheirCredentials({self.url}, {self.parties})"


class BadCredentialsError(RoamingError):
    """A credentials object that cannot be used; it says nothing of the token in it."""


def our_credentials(
    terms: PartnerTerms, version: OcpiVersion, token: str, url: str
) -> dict[str, Any]:
    """Return our credentials object: *token* lets the partner in, *url* is where versions are."""
    country, _, party_id = terms.our_party.partition("-")
    us = {
        "party_id": party_id,
        "country_code": country,
        "business_details": {"name": terms.us.name[:_NAME_MAX]},
    }
    ours: dict[str, Any] = {"token": token, "url": url}
    if version is OcpiVersion.V2_1_1:
        return ours | us
    return ours | {"roles": [{"role": side.upper(), **us} for side in terms.our_sides]}


def their_credentials(body: object, version: OcpiVersion, partner: str) -> TheirCredentials:
    """Return what *partner* says of itself in *body*.

    Raises:
        BadCredentialsError: If it cannot be used, or names everybody but *partner*.
    """
    try:
        fields = JsonFields(body, "", [])
        found = TheirCredentials(
            token=checked_token(fields.get("token")),
            url=str(partner_url(fields.text("url", required=True) or "")),
            parties=_parties(fields, version),
        )
    except (OcpiError, UnfitTokenError, ForbiddenAddressError) as error:
        message = f"the credentials cannot be used: {error}"
        raise BadCredentialsError(message) from error
    if partner not in found.parties:
        said = ", ".join(found.parties[:20]) or "nobody"
        message = f"the credentials are of {said}; expected those of {partner}, who was invited"
        raise BadCredentialsError(message)
    return found


def _parties(fields: JsonFields, version: OcpiVersion) -> tuple[str, ...]:
    if version is OcpiVersion.V2_1_1:
        return (_party(fields),)
    roles = fields.items(_ROLES, required=True)
    if len(roles) > ROLES_MAX:
        raise OcpiError(_ROLES, f"more than {ROLES_MAX} roles")
    found = [_party(JsonFields(role, f"roles[{at}]", [])) for at, role in enumerate(roles)]
    hub = fields.get("hub_party_id")
    if isinstance(hub, str) and hub:
        found.append(_named("hub_party_id", hub[:_COUNTRY_LETTERS], hub[_COUNTRY_LETTERS:]))
    return tuple(dict.fromkeys(found))


def _party(fields: JsonFields) -> str:
    country = fields.text("country_code", required=True) or ""
    return _named(fields.spot("party_id"), country, fields.text("party_id", required=True) or "")


def _named(spot: str, country: str, party_id: str) -> str:
    try:
        return party_named(country, party_id)
    except BadPartyError as error:
        raise OcpiError(spot, str(error)) from None
