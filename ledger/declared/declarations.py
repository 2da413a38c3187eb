"""Declarations: master data as it was declared, looked up by the moment a session began.

Two times, always both: `valid_from` says from when a declaration holds, `version` when we learnt
it. A snapshot at a version never changes, so a replay sees what was in force then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Final, NamedTuple, TypeVar

import msgspec

from ledger.facts.station_traits import ChangedTraits, StationTraits
from ledger.layered import Layered
from ledger.master_data.assignments import Assignment, keys_for
from ledger.master_data.charts import ChartOfAccounts
from ledger.master_data.customers import Customer
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner
from ledger.master_data.policies import Policy
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station, traits_of
from ledger.master_data.tariff_versions import TariffVersion
from ledger.master_data.tokens import Token

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""From when the first declaration of a thing holds that says no time of its own."""

POLICY_KEY: Final = "policy"
_DEFAULT_POLICY: Final = Policy()

Entity = (
    Site
    | LegalEntity
    | Station
    | Token
    | Customer
    | TariffVersion
    | Assignment
    | Policy
    | ChartOfAccounts
    | Partner
)
_E = TypeVar("_E")


class Kind(StrEnum):
    """What is declared; the key of each kind in brackets."""

    LEGAL_ENTITY = "legal_entity"
    """(id) LegalEntity"""
    SITE = "site"
    """(id) Site"""
    STATION = "station"
    """(identity) Station"""
    CUSTOMER = "customer"
    """(its subject id) Customer"""
    TOKEN = "token"  # noqa: S105 - the name of a kind, no secret
    """(its subject id) Token"""
    TARIFF = "tariff"
    """(tariff id) TariffVersion"""
    ASSIGNMENT = "assignment"
    """(Assignment.key()) Assignment"""
    POLICY = "policy"
    """(POLICY_KEY) Policy"""
    CHART = "chart"
    """(legal entity id, or * for every one) ChartOfAccounts"""
    PARTNER = "partner"
    """(its party, "NL-TNM") Partner"""


ENTITY_OF: Final[dict[Kind, type[Entity]]] = {
    Kind.LEGAL_ENTITY: LegalEntity,
    Kind.SITE: Site,
    Kind.STATION: Station,
    Kind.CUSTOMER: Customer,
    Kind.TOKEN: Token,
    Kind.TARIFF: TariffVersion,
    Kind.ASSIGNMENT: Assignment,
    Kind.POLICY: Policy,
    Kind.CHART: ChartOfAccounts,
    Kind.PARTNER: Partner,
}


class Declaration(NamedTuple):
    """One row of the table `declaration`; `entity` None withdraws what was declared before."""

    version: int
    kind: Kind
    key: str
    valid_from: datetime
    entity: Entity | None


class _KeysOfKind(NamedTuple):
    """The keys of a kind, sorted as they were last asked for, and those that came since."""

    in_order: tuple[str, ...]
    further: tuple[str, ...] = ()


_BY_VERSION: Final = attrgetter("version")
_BY_TIME: Final = attrgetter("valid_from", "version")


class TariffInForce(NamedTuple):
    """The tariff version that prices a session, and the assignment that says so."""

    version: TariffVersion
    assignment: Assignment


class Declarations:
    """An immutable snapshot: everything declared up to `version`."""

    def __init__(self, rows: Iterable[Declaration] = ()) -> None:
        self.version = 0
        # What was made of a station last: it is asked for at every look, and changes hardly ever.
        self._traits: dict[str, tuple[Station, Site | None, Policy, StationTraits]] = {}
        self._changes: dict[str, tuple[tuple[datetime, StationTraits], ...]] = {}
        # Made when they are first asked for: there may be a million tokens beside a few sites.
        self._keys: dict[Kind, _KeysOfKind] = {}
        self._states: dict[Kind, object] = {}
        histories: dict[tuple[Kind, str], list[Declaration]] = {}
        for row in sorted(rows, key=_BY_VERSION):
            self.version = row.version
            histories.setdefault((row.kind, row.key), []).append(row)
        for history in histories.values():
            history.sort(key=_BY_TIME)
        self._histories: Mapping[tuple[Kind, str], list[Declaration]] = histories

    def extended(self, rows: Iterable[Declaration]) -> Declarations:
        """Return this snapshot with newer *rows*; it costs what they do, and shares the rest."""
        found, base = Declarations(), self._histories
        found.version, found._keys = self.version, dict(self._keys)
        found._states = dict(self._states)
        changed: dict[tuple[Kind, str], list[Declaration]] = {}
        further: dict[Kind, list[str]] = {}
        for row in sorted(rows, key=_BY_VERSION):
            name = row.kind, row.key
            known = changed.get(name) or base.get(name)
            if known is None:
                further.setdefault(row.kind, []).append(row.key)
            found.version = row.version
            found._states.pop(row.kind, None)
            changed[name] = sorted([*(known or ()), row], key=_BY_TIME)
        for kind in further.keys() & found._keys.keys():
            keys = found._keys[kind]
            found._keys[kind] = keys._replace(further=(*keys.further, *further[kind]))
        found._histories = (base if isinstance(base, Layered) else Layered(base)).but(changed)
        return found

    def at_version(self, version: int) -> Declarations:
        """Return what was declared up to an earlier *version*."""
        return Declarations(
            row for rows in self._histories.values() for row in rows if row.version <= version
        )

    def keys(self, kind: Kind) -> tuple[str, ...]:
        """Return every key ever declared for *kind*, sorted."""
        known = self._keys.get(kind)
        if known is not None and not known.further:
            return known.in_order
        # Set at once: other threads may ask meanwhile.
        named = (
            (each for of, each in self._histories if of is kind)
            if known is None
            else (*known.in_order, *known.further)
        )
        found = tuple(sorted(named))
        self._keys[kind] = _KeysOfKind(found)
        return found

    def state(self, kind: Kind) -> object:
        """Return what stands for all that is declared of *kind*.

        It is the same in snapshots that follow each other until something of it is declared: what
        was made of it holds until then, whatever else is.
        """
        return self._states.setdefault(kind, object())

    def history(self, kind: Kind, key: str) -> tuple[Declaration, ...]:
        """Return every declaration of one thing, by valid_from and then version."""
        return tuple(self._histories.get((kind, key), ()))

    def in_force(self, kind: Kind, key: str, at: datetime) -> Declaration | None:
        """Return what held at *at*: the newest valid_from up to then, ties to the last version."""
        history = self._histories.get((kind, key))
        if history is None:
            return None
        if len(history) == 1:  # nearly always
            return history[0] if history[0].valid_from <= at else None
        index = bisect_right(history, at, key=lambda row: row.valid_from)
        return history[index - 1] if index else None

    def station(self, identity: str, at: datetime) -> Station | None:
        """Return the station as declared for *at*."""
        return self._entity(Kind.STATION, identity, at, Station)

    def site(self, site_id: str, at: datetime) -> Site | None:
        """Return the site as declared for *at*."""
        return self._entity(Kind.SITE, site_id, at, Site)

    def legal_entity(self, legal_entity_id: str, at: datetime) -> LegalEntity | None:
        """Return the legal entity as declared for *at*."""
        return self._entity(Kind.LEGAL_ENTITY, legal_entity_id, at, LegalEntity)

    def customer(self, customer_id: str, at: datetime) -> Customer | None:
        """Return the customer as declared for *at*."""
        return self._entity(Kind.CUSTOMER, customer_id, at, Customer)

    def last_customer(self, customer_id: str, at: datetime) -> Customer | None:
        """Return the customer as declared for *at*; who was withdrawn by then, as it was last."""
        return self._last(Kind.CUSTOMER, customer_id, at, Customer)

    def last_legal_entity(self, legal_entity_id: str, at: datetime) -> LegalEntity | None:
        """Return the legal entity as declared for *at*; a withdrawn one, as it was last."""
        return self._last(Kind.LEGAL_ENTITY, legal_entity_id, at, LegalEntity)

    def token(self, subject_id: str, at: datetime) -> Token | None:
        """Return the token whose subject this is, as declared for *at*."""
        return self._entity(Kind.TOKEN, subject_id, at, Token)

    def partner(self, party: str, at: datetime) -> Partner | None:
        """Return the roaming partner as declared for *at*."""
        return self._entity(Kind.PARTNER, party, at, Partner)

    def policy(self, at: datetime) -> Policy:
        """Return the policy as declared for *at*, or the default one."""
        return self._entity(Kind.POLICY, POLICY_KEY, at, Policy) or _DEFAULT_POLICY

    def tariff(self, tariff_id: str, at: datetime) -> TariffVersion | None:
        """Return the version of a tariff that was published for *at* and is valid then."""
        version = self._entity(Kind.TARIFF, tariff_id, at, TariffVersion)
        return version if version and version.is_valid(at) else None

    def traits(self, identity: str, at: datetime) -> StationTraits:
        """Return what the fold needs to know of a station; defaults for an undeclared one.

        What held before *at* is among it, for sessions of then.
        """
        now, changes = self._traits_then(identity, at), self._changes_of(identity)
        until = [begins for begins, _ in changes[1:] if begins <= at]
        if not until:
            return now
        earlier = tuple(zip(until, (was for _, was in changes), strict=False))
        told = {name: getattr(now, name) for name in StationTraits.__struct_fields__}
        return ChangedTraits(**told, earlier=earlier)

    def _changes_of(self, identity: str) -> tuple[tuple[datetime, StationTraits], ...]:
        """Return from when on a station had which traits, where they ever changed."""
        found = self._changes.get(identity)
        if found is not None:
            return found
        rows = list(self.history(Kind.STATION, identity))
        sites = {row.entity.site for row in rows if isinstance(row.entity, Station)}
        histories = [self.history(Kind.SITE, site) for site in sorted(sites)]
        changes: list[tuple[datetime, StationTraits]] = []
        if len(rows) > 1 or any(len(each) > 1 for each in histories):  # hardly ever
            moments = {row.valid_from for some in (rows, *histories) for row in some}
            for begins in sorted(moments):
                if self.station(identity, begins) is not None:
                    then = self._traits_then(identity, begins)
                    if not changes or changes[-1][1] != then:
                        changes.append((begins, then))
        self._changes[identity] = tuple(changes)
        return self._changes[identity]

    def _traits_then(self, identity: str, at: datetime) -> StationTraits:
        station, policy = self.station(identity, at), self.policy(at)
        if station is None:
            return StationTraits(max_power_w=Decimal(policy.undeclared_power_w))
        site, known = self.site(station.site, at), self._traits.get(identity)
        if known and known[0] is station and known[1] is site and known[2] is policy:
            return known[3]
        made = traits_of(station, site, Decimal(policy.undeclared_power_w))
        self._traits[identity] = station, site, policy, made
        return made

    def tariff_for(
        self,
        station_id: str,
        token_uid: str | None,
        at: datetime,
        *,
        partner: str | None = None,
    ) -> TariffInForce | None:
        """Return the tariff that prices a session of *token_uid* which began at *at*.

        The most specific assignment whose tariff has a version in force wins. *partner* is whose
        token it is, if it is not declared.
        """
        station = self.station(station_id, at)
        if station is None:
            return None
        token = self.token(token_uid, at) if token_uid else None
        partner = token.partner if token else partner
        return self.tariff_of(station_id, station, token_uid, token, at, partner=partner)

    def tariff_of(
        self,
        station_id: str,
        station: Station,
        token_uid: str | None,
        token: Token | None,
        at: datetime,
        *,
        partner: str | None,
    ) -> TariffInForce | None:
        """Return the tariff for *station* and *token*, as `tariff_for`, with both looked up.

        *partner* is the roaming partner whose token it is, declared or not.
        """
        keys = keys_for(
            token=token_uid,
            token_group=token.group if token else None,
            partner=partner,
            station=station_id,
            site=station.site,
        )
        for key in keys:
            assignment = self._entity(Kind.ASSIGNMENT, key, at, Assignment)
            version = self.tariff(assignment.tariff, at) if assignment else None
            if assignment and version:
                return TariffInForce(version, assignment)
        return None

    def _last(self, kind: Kind, key: str, at: datetime, expected: type[_E]) -> _E | None:
        known = (row for row in reversed(self.history(kind, key)) if row.valid_from <= at)
        found = next((row.entity for row in known if row.entity is not None), None)
        return found if isinstance(found, expected) else None

    def _entity(self, kind: Kind, key: str, at: datetime, expected: type[_E]) -> _E | None:
        found = self.in_force(kind, key, at)
        if found is None or found.entity is None:
            return None
        if not isinstance(found.entity, expected):
            raise TypeError(found)
        return found.entity


def decode_entity(kind: Kind, body: str) -> Entity | None:
    """Return the entity of a declaration's *body* (canonical JSON; null for a withdrawal)."""
    return msgspec.json.decode(body, type=ENTITY_OF[kind] | None)
