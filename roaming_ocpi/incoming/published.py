"""What a verdict hangs on beside the log: tariffs as we had them, zones of places, contracts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple, Protocol

from psycopg import Connection, sql

from ledger.declared.declarations import Declarations, Kind
from ledger.persons.holders import token_holder
from ledger.persons.store import names_of
from roaming_ocpi.incoming.told import ToldCdr
from roaming_ocpi.places.partner_tariffs import partner_tariffs_at
from roaming_ocpi.tokens.own_tokens import Issuer, contract_of
from tariffs.errors import TariffError
from tariffs.kernel.compiled import CompiledTariff
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.tariff_reader import ocpi_tariff_of

_CACHED_MAX: Final = 1_000
_ISSUERS_MAX: Final = 8
_ZONES: LiteralString = """
SELECT location_id, time_zone FROM partner_location
WHERE party = %s AND location_id = ANY (%s) AND time_zone IS NOT NULL
"""
_RECORDED_ZONES: LiteralString = """
SELECT cdr_key, zone FROM {schema}.partner_cdr
WHERE party = %s AND cdr_key = ANY (%s) AND zone IS NOT NULL
"""
_RECORDED_BEARERS: LiteralString = """
SELECT cdr_key, subject FROM {schema}.partner_cdr
WHERE party = %s AND cdr_key = ANY (%s) AND subject IS NOT NULL
"""


class TariffAsked(NamedTuple):
    """A tariff of a party, by its folded id: as we had it when a session began.

    Where it came later, as we had it when the CDR came.
    """

    tariff_id: str
    began_at: datetime
    received_at: datetime


class PublishedByPartners(Protocol):
    """What was stored of partners' tariffs and locations, by receipt."""

    def tariffs(
        self, connection: Connection[Any], party: str, asked: Collection[TariffAsked]
    ) -> Mapping[TariffAsked, CompiledTariff]:
        """Return those of the tariffs that were published and can be read."""

    def zones(
        self, connection: Connection[Any], party: str, cdrs: Sequence[ToldCdr]
    ) -> Mapping[str, str]:
        """Return the time zone of the place of each CDR, by its key, where one is known."""

    def bearers(
        self,
        connection: Connection[Any],
        party: str,
        cdrs: Sequence[ToldCdr],
        declared: Declarations,
    ) -> Mapping[str, str]:
        """Return, by the key of a CDR that names a contract alone, whose token that is.

        Source: OCPI 2.1.1, mod_cdrs, CDR.auth_id.
        """


class StoredByPartners:
    """The tables of `roaming_ocpi.places`. What a tariff's text compiles to is kept in mind."""

    def __init__(self) -> None:
        self._compiled: dict[bytes, CompiledTariff | None] = {}
        self._contracts: dict[tuple[int, Issuer], Mapping[str, str]] = {}

    def bearers(
        self,
        connection: Connection[Any],
        party: str,
        cdrs: Sequence[ToldCdr],
        declared: Declarations,
    ) -> Mapping[str, str]:
        """Return, by the key of a CDR that names a contract alone, whose token that is."""
        names = names_of(connection, [each.subject for each in cdrs if each.subject is not None])
        found = {}
        for each in cdrs:
            issuer = _issuer(declared, party, each.received_at)
            if issuer is not None and each.subject in names:
                tokens = self._tokens_of(declared, issuer)
                if names[each.subject] in tokens:
                    found[each.key] = tokens[names[each.subject]]
        return found

    def _tokens_of(self, declared: Declarations, issuer: Issuer) -> Mapping[str, str]:
        """Return our tokens by the names of the contracts under which partners know them."""
        known = self._contracts.get((declared.version, issuer))
        if known is None:
            contracts = {
                token_holder(contract_of(each, issuer)): each for each in declared.keys(Kind.TOKEN)
            }
            known = {holder.name: each for holder, each in contracts.items() if holder is not None}
            if len(self._contracts) >= _ISSUERS_MAX:
                self._contracts.clear()
            self._contracts[declared.version, issuer] = known
        return known

    def tariffs(
        self, connection: Connection[Any], party: str, asked: Collection[TariffAsked]
    ) -> Mapping[TariffAsked, CompiledTariff]:
        """Return those of the tariffs that were published and can be read."""
        began = {(each.tariff_id, each.began_at) for each in asked}
        found = dict(partner_tariffs_at(connection, party, began))
        later = {
            (each.tariff_id, each.received_at)
            for each in asked
            if (each.tariff_id, each.began_at) not in found
        }
        if later:
            found |= partner_tariffs_at(connection, party, later)
        tariffs = {}
        for each in asked:
            body = found.get((each.tariff_id, each.began_at))
            if body is None:
                body = found.get((each.tariff_id, each.received_at))
            compiled = None if body is None else self._compile(body)
            if compiled is not None:
                tariffs[each] = compiled
        return tariffs

    def zones(
        self, connection: Connection[Any], party: str, cdrs: Sequence[ToldCdr]
    ) -> Mapping[str, str]:
        """Return the time zone of the place of each CDR, by its key, where one is known."""
        # Ids are kept in lower case there.
        places = {each.key: each.location_id.lower() for each in cdrs if each.location_id}
        if not places:
            return {}
        rows = connection.execute(_ZONES, (party, sorted(set(places.values()))))
        known = dict(rows.fetchall())
        return {key: known[place] for key, place in places.items() if place in known}

    def _compile(self, body: bytes) -> CompiledTariff | None:
        """Return a tariff that was published, None where it cannot be read: then it prices none."""
        if body not in self._compiled:
            if len(self._compiled) >= _CACHED_MAX:
                self._compiled.clear()
            try:
                read = ocpi_tariff_of(decode_json(body))
                self._compiled[body] = CompiledTariff(read.tariff)
            except TariffError:
                self._compiled[body] = None
        return self._compiled[body]


class AsRecorded(StoredByPartners):
    """The same for who judges again: a place may be known by now that was not then.

    And who was erased meanwhile is found by no contract any more.
    """

    def __init__(self, schema: str) -> None:
        super().__init__()
        name = sql.Identifier(schema)
        self._zones = sql.SQL(_RECORDED_ZONES).format(schema=name)
        self._bearers = sql.SQL(_RECORDED_BEARERS).format(schema=name)

    def zones(
        self, connection: Connection[Any], party: str, cdrs: Sequence[ToldCdr]
    ) -> Mapping[str, str]:
        """Return the time zones by which the CDRs were judged."""
        rows = connection.execute(self._zones, (party, [each.key for each in cdrs]))
        return dict(rows.fetchall())

    def bearers(
        self,
        connection: Connection[Any],
        party: str,
        cdrs: Sequence[ToldCdr],
        declared: Declarations,
    ) -> Mapping[str, str]:
        """Return whose tokens were found then."""
        del declared
        rows = connection.execute(self._bearers, (party, [each.key for each in cdrs]))
        return dict(rows.fetchall())


def _issuer(declared: Declarations, party: str, at: datetime) -> Issuer | None:
    """Return as whom a partner knows us."""
    partner = declared.partner(party, at)
    ours = declared.legal_entity(partner.legal_entity, at) if partner else None
    return Issuer(ours.party, ours.name) if ours is not None and ours.party else None
