"""What declarations must fulfil together: names that exist, zones, currencies, own prefixes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Final, NamedTuple

from ledger.declared.changes import PlannedChange
from ledger.declared.declarations import Declarations, Entity, Kind
from ledger.declared.place_rules import plug_problems, site_problems
from ledger.declared.policy_rules import policy_problems
from ledger.declared.series import DeclaredSeries, series_of, twins_of
from ledger.declared.text_rules import text_problems
from ledger.master_data.assignments import Assignment
from ledger.master_data.charts import ANY, ChartOfAccounts
from ledger.master_data.customers import PAYMENT_DAYS_MAX, Customer, CustomerKind, Invoicing
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner
from ledger.master_data.policies import Policy
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station
from ledger.master_data.tariff_versions import TariffVersion, published
from ledger.master_data.tokens import A_NAME, Token, TokenKind, is_a_name
from ledger.partners.elsewhere import STATIONS
from ledger.partners.party import BadPartyError, check_party
from tariffs.currencies import UnknownCurrencyError, currency_exponent
from tariffs.phrases.phrase import bounded
from tariffs.taxes.vat_ids import VatIdCheck, check_vat_id
from tariffs.zones import zone_names

_THRESHOLD_MAX: Final = Decimal(10) ** 12
_KEY_MAX: Final = 1_000


class DeclarationProblem(NamedTuple):
    """What is wrong with the declaration of one thing."""

    kind: Kind
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.message}"


class _Known:
    """What exists by name once the changes are made; looked up, for there may be a million."""

    def __init__(self, known: Declarations, planned: Sequence[PlannedChange]) -> None:
        self._known, self._planned = known, planned
        self._changed = {(change.kind, change.key): change.after for change in planned}

    def entity(self, kind: Kind, key: str) -> Entity | None:
        """Return the newest state of a thing."""
        if (kind, key) in self._changed:
            return self._changed[kind, key]
        history = self._known.history(kind, key)
        return history[-1].entity if history else None

    def has(self, kind: Kind, key: str) -> bool:
        return self.entity(kind, key) is not None

    def checked(self) -> list[tuple[Kind, str]]:
        """Return what has to be looked at: what changes, or all where something is withdrawn."""
        if all(change.after is not None for change in self._planned):
            return sorted(self._changed)
        # A withdrawal may leave any other declaration without its ground.
        known = {(kind, key) for kind in Kind for key in self._known.keys(kind)}
        return sorted(each for each in known | self._changed.keys() if self.has(*each))

    @cached_property
    def prefixes(self) -> dict[str, set[str]]:
        """Return who has, or ever had, each invoice prefix: its numbers are in the world."""
        owners: dict[str, set[str]] = {}
        for key, entity in self._sellers():
            owners.setdefault(entity.invoice_prefix, set()).add(key)
        return owners

    @cached_property
    def series(self) -> tuple[DeclaredSeries, ...]:
        """Return how each seller numbers its documents, or ever did."""
        found = dict.fromkeys(each for key, one in self._sellers() for each in series_of(key, one))
        return tuple(found)

    def _sellers(self) -> Iterator[tuple[str, LegalEntity]]:
        """Yield legal entities as they are declared, ever were, or will be."""
        for key in self._known.keys(Kind.LEGAL_ENTITY):
            for row in self._known.history(Kind.LEGAL_ENTITY, key):
                if isinstance(row.entity, LegalEntity):
                    yield key, row.entity
        for change in self._planned:
            if isinstance(change.after, LegalEntity):
                yield change.key, change.after


def problems_of(
    known: Declarations, planned: Sequence[PlannedChange]
) -> tuple[DeclarationProblem, ...]:
    """Return everything that is wrong with making the *planned* changes to what is *known*."""
    after = _Known(known, planned)
    of_each = [
        DeclarationProblem(kind, key, message)
        for kind, key in after.checked()
        if (entity := after.entity(kind, key)) is not None
        for message in _messages(key, entity, after)
    ]
    # Of what changes alone: a text of before, when it was taken, holds nobody up.
    of_texts = [
        DeclarationProblem(change.kind, change.key, message)
        for change in planned
        if change.after is not None
        for message in text_problems(change.after)
    ]
    of_ids = [
        DeclarationProblem(change.kind, change.key, message)
        for change in planned
        if isinstance(change.after, TariffVersion)
        for message in _spelling(change.key, known, planned)
    ]
    return (*of_each, *of_texts, *of_ids)


def _messages(key: str, entity: Entity, after: _Known) -> Iterator[str]:
    match entity:
        case LegalEntity():
            yield from _legal_entity(key, entity, after)
        case Site():
            yield from _site(entity, after)
        case Station():
            yield from _station(key, entity, after)
        case Token():
            yield from _token(entity, after)
        case Customer():
            yield from _customer(entity)
        case Assignment() | TariffVersion() | Policy() | Partner() | ChartOfAccounts():
            yield from _messages_of_terms(key, entity, after)


_Terms = Assignment | TariffVersion | Policy | Partner | ChartOfAccounts


def _messages_of_terms(key: str, entity: _Terms, after: _Known) -> Iterator[str]:
    match entity:
        case Assignment():
            yield from _assignment(key, entity, after)
        case TariffVersion():
            yield from _tariff(key, entity)
        case Policy():
            yield from policy_problems(entity)
        case Partner():
            yield from _partner(key, entity, after)
        case ChartOfAccounts():
            yield from _named(after, Kind.LEGAL_ENTITY, None if key == ANY else key)


def _legal_entity(key: str, entity: LegalEntity, after: _Known) -> Iterator[str]:
    yield from _zone(entity.time_zone)
    if not entity.invoice_prefix.strip():
        yield "an invoice prefix is needed"
    if entity.party is not None:
        yield from _party(entity.party)
    for other in sorted(after.prefixes[entity.invoice_prefix] - {key}):
        yield f"the invoice prefix {entity.invoice_prefix} belongs to {other}"
    yield from twins_of(series_of(key, entity), after.series)


def _site(site: Site, after: _Known) -> Iterator[str]:
    yield from _zone(site.time_zone)
    yield from _named(after, Kind.LEGAL_ENTITY, site.legal_entity)
    try:
        currency_exponent(site.currency)
    except UnknownCurrencyError as error:
        yield str(error)
    yield from site_problems(site)


def _station(key: str, station: Station, after: _Known) -> Iterator[str]:
    if key.startswith(STATIONS):
        yield f"no station's identity begins with {STATIONS}: that is what partners' are called"
    yield from _zone(station.time_zone)
    yield from _named(after, Kind.SITE, station.site)
    if station.max_power_w is not None and station.max_power_w <= 0:
        yield "max_power_w must be above 0"
    yield from plug_problems(station)


def _customer(customer: Customer) -> Iterator[str]:
    kind, vat_id = customer.kind, (customer.vat_id or "").strip()
    if vat_id:
        yield from _vat_id(vat_id)
    if vat_id and not customer.is_business:
        yield f"kind {kind} has no vat_id: business and fleet have"
    if customer.reverse_charge and not vat_id:
        yield "reverse_charge needs the customer's vat_id"
    if customer.reverse_charge and check_vat_id(vat_id) is VatIdCheck.UNKNOWN_COUNTRY:
        yield f"reverse_charge needs a vat_id that can be checked: of {vat_id} no rule is known"
    if customer.resells and not customer.is_business:
        yield "resells is a business's: say kind: business, and its vat_id"
    if customer.payment_days is not None and not 0 <= customer.payment_days <= PAYMENT_DAYS_MAX:
        yield f"payment_days must be from 0 to {PAYMENT_DAYS_MAX}"
    has_threshold, threshold = customer.invoicing is Invoicing.ON_THRESHOLD, customer.threshold
    if has_threshold != (threshold is not None):
        yield "a threshold is of who is invoiced on_threshold: say both, or neither"
    if threshold is not None and not _is_threshold(threshold):
        yield f"threshold must be an amount above 0, and at most {_THRESHOLD_MAX:f}"
    yield from _top_up(customer)
    if kind is CustomerKind.AD_HOC and customer.invoicing is not Invoicing.PER_SESSION:
        yield "an ad hoc customer has no contract: it is invoiced per_session"


def _top_up(customer: Customer) -> Iterator[str]:
    amounts = customer.top_up_below, customer.top_up_by
    if (amounts[0] is None) != (amounts[1] is None):
        yield "top_up_below and top_up_by go together: say both, or neither"
    if any(each is not None and not _is_threshold(each) for each in amounts):
        yield f"top_up_below and top_up_by are above 0, and at most {_THRESHOLD_MAX:f}"


def _is_threshold(amount: Decimal) -> bool:
    return amount.is_finite() and 0 < amount <= _THRESHOLD_MAX


def _vat_id(vat_id: str) -> Iterator[str]:
    match check_vat_id(vat_id):
        case VatIdCheck.WRONG_DIGITS:
            yield f"vat_id {vat_id}: its check digits are wrong, as where a number is miscopied"
        case VatIdCheck.WRONG_FORM:
            yield f"vat_id {bounded(vat_id)!r} is not as its country writes them: NL123456782B90"
        case VatIdCheck.RIGHT | VatIdCheck.FORM_RIGHT | VatIdCheck.UNKNOWN_COUNTRY:
            pass


_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_OCPI_VERSIONS: Final = ("2.1.1", "2.2.1", "2.3.0")
_PARTNER_URL: Final = re.compile(r"https?://[!-~]{1,240}", re.ASCII)


def _token(token: Token, after: _Known) -> Iterator[str]:
    yield from _named(after, Kind.CUSTOMER, token.customer)
    yield from _named(after, Kind.TOKEN, token.parent)
    for site in token.sites:
        yield from _named(after, Kind.SITE, site)
    if token.is_master_pass and token.parent is None:
        yield "a master pass has a parent: the group that stations know as that of master passes"
    if token.cost_centre is not None and not is_a_name(token.cost_centre):
        yield f"cost_centre needs {A_NAME}"
    is_customers = token.customer is not None or token.parent is not None
    if not is_customers and (token.cost_centre is not None or token.driver is not None):
        yield "a cost_centre and a driver are a customer's: the token names none"
    if token.kind is TokenKind.ROAMING and not token.partner:
        yield "a roaming token names its partner"


def _assignment(key: str, assignment: Assignment, after: _Known) -> Iterator[str]:
    if assignment.key() != key:
        yield f"the key must be {assignment.key()!r}"
    if len(key) > _KEY_MAX:
        yield f"its names have {len(key):,} characters; together they have at most {_KEY_MAX:,}"
    yield from _named(after, Kind.TARIFF, assignment.tariff)
    yield from _named(after, Kind.STATION, assignment.station)
    yield from _named(after, Kind.SITE, assignment.site)
    for name in ("max_cost", "max_energy_wh", "max_time_s"):
        limit = getattr(assignment, name)
        if limit is not None and not (Decimal(limit).is_finite() and limit > 0):
            yield f"{name} must be above 0"


def _partner(key: str, partner: Partner, after: _Known) -> Iterator[str]:
    yield from _party(key)
    if partner.hub is not None:
        yield from _party(partner.hub)
        yield from _named(after, Kind.PARTNER, partner.hub)
    if not partner.roles:
        yield "a partner has a role: cpo, emsp or hub"
    seller = after.entity(Kind.LEGAL_ENTITY, partner.legal_entity)
    yield from _named(after, Kind.LEGAL_ENTITY, partner.legal_entity)
    if isinstance(seller, LegalEntity) and seller.party is None:
        yield f"legal entity {partner.legal_entity} has no party: partners know us by one (DE-ABC)"
    for version in partner.versions:
        if version not in _OCPI_VERSIONS:
            yield f"there is no OCPI {bounded(version)!r} here: {', '.join(_OCPI_VERSIONS)}"
    if partner.versions_url is not None and not _PARTNER_URL.fullmatch(partner.versions_url):
        yield "versions_url must be an http or https address of at most 255 characters"
    for site in partner.sites:
        yield from _named(after, Kind.SITE, site)
    yield from _partner_amounts(partner)
    yield from _named(after, Kind.TARIFF, partner.retail_tariff)
    if partner.vat_id:
        yield from _vat_id(partner.vat_id)


def _partner_amounts(partner: Partner) -> Iterator[str]:
    amounts = {
        "mark_up_percent": (partner.mark_up_percent, Decimal(-100), Decimal(1_000)),
        "session_fee": (partner.session_fee, Decimal(0), _THRESHOLD_MAX),
        "vat_percent": (partner.vat_percent or Decimal(0), Decimal(0), Decimal(100)),
        "reverse_charge_percent": (
            partner.reverse_charge_percent or Decimal(0),
            Decimal(0),
            Decimal(100),
        ),
        "payment_days": (Decimal(partner.payment_days), Decimal(0), Decimal(PAYMENT_DAYS_MAX)),
        "session_every_s": (Decimal(partner.session_every_s), Decimal(5), Decimal(86_400)),
        "timeout_ms": (Decimal(partner.real_time.timeout_ms), Decimal(100), Decimal(20_000)),
        "list_max_age_h": (Decimal(partner.real_time.list_max_age_h), Decimal(0), Decimal(8_760)),
    }
    if None not in (partner.vat_percent, partner.reverse_charge_percent):
        yield "vat_percent and reverse_charge_percent: either the seller owes the VAT, or the buyer"
    if partner.vat_by_country and {partner.vat_percent, partner.reverse_charge_percent} != {None}:
        yield "vat_by_country stands alone, without vat_percent and reverse_charge_percent"
    for field in ("passed_on_vat", "vat_by_country"):
        for country, percent in getattr(partner, field).items():
            if not _COUNTRY.fullmatch(country):
                yield f"{field}: {bounded(country)!r} is no country of two letters (ISO 3166-1)"
            amounts[f"{field}: {bounded(country)}"] = percent, Decimal(0), Decimal(100)
    for name, (amount, least, most) in amounts.items():
        if not (amount.is_finite() and least <= amount <= most):
            yield f"{name} must be from {least:f} to {most:f}"


def _party(party: str) -> Iterator[str]:
    try:
        check_party(party)
    except BadPartyError as error:
        yield str(error)


def _tariff(key: str, version: TariffVersion) -> Iterator[str]:
    if version.tariff.id != key:
        yield f"the key must be the tariff's id {version.tariff.id!r}"
    if published(version.tariff).sha256 != version.sha256:
        yield "the hash is not the tariff's"


def _spelling(key: str, known: Declarations, planned: Sequence[PlannedChange]) -> Iterator[str]:
    """Yield a problem where a new tariff is to partners one that there is, or was.

    Source: OCPI 2.2.1, types, CiString: ids that differ by case alone are one.
    """
    if known.history(Kind.TARIFF, key):
        return
    others = {*known.keys(Kind.TARIFF), *(each.key for each in planned if each.kind is Kind.TARIFF)}
    for other in sorted(others - {key}):
        if other.casefold() == key.casefold():
            yield (
                f"there is, or was, a tariff {other!r}: to roaming partners ids that differ by "
                "case alone are one; name it otherwise"
            )


def _named(after: _Known, kind: Kind, key: str | None) -> Iterator[str]:
    """Yield a problem unless *key* is declared."""
    if key is not None and not after.has(kind, key):
        first = ": `wattledger tariff publish` first" if kind is Kind.TARIFF else ""
        yield f"there is no {kind.replace('_', ' ')} {key!r}{first}"


def _zone(name: str | None) -> Iterator[str]:
    if name is not None and name not in zone_names():
        yield f"there is no time zone {name!r}"
