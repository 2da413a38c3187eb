"""A roaming partner by its name: country and party id, as the whole product writes it."""

from __future__ import annotations

import re
from typing import Final

from ledger.errors import LedgerError

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_PARTY_ID: Final = re.compile(r"[A-Z0-9]{3}")


class BadPartyError(LedgerError):
    """A country code or party id that is none."""

    def __init__(self, country: str, party_id: str) -> None:
        self.country, self.party_id = country, party_id
        super().__init__(
            f"{country[:20]!a} and {party_id[:20]!a} name no party: expected a country's two "
            "letters and three letters or digits"
        )


def party_named(country: str, party_id: str) -> str:
    """Return the name of a party, "NL-TNM"; neither part knows case.

    Raises:
        BadPartyError: If they are no country code (ISO 3166-1) and party id (ISO 15118).

    Source: OCPI 2.2.1, credentials module, CredentialsRole.
    """
    # Before `upper`, which makes two letters of some that are one.
    if country.isascii() and party_id.isascii():
        parts = country.upper(), party_id.upper()
        if _COUNTRY.fullmatch(parts[0]) and _PARTY_ID.fullmatch(parts[1]):
            return "-".join(parts)
    raise BadPartyError(country, party_id)


def check_party(party: str) -> None:
    """Refuse what `party_named` does not write.

    Raises:
        BadPartyError: If *party* is not the name of one.
    """
    country, _, party_id = party.partition("-")
    if party_named(country, party_id) != party:
        raise BadPartyError(country, party_id)
