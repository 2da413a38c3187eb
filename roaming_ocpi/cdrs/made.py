"""A CDR of ours as it is kept: made once, in our model, with persons as subject ids.

`CdrBody` is what is frozen; each version's JSON is put together from it, and nothing else but the
clock (`last_updated`) and the names behind subject ids. A version may need another form than the
others (`roaming_ocpi.cdrs.saying`): the body has each once, and says which version takes which.
What a price hangs on is told in the bytes that were checked: nothing is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from ledger.master_data.partners import OldCorrections
from roaming_ocpi.wire.walls import encoded
from tariffs.cdr.cdr import Cdr, ChargingPeriod, StatedCost, StatedTotals
from tariffs.model.canonical import canonical_json
from tariffs.model.tariff import Tariff
from tariffs.ocpi.cdr_writer import (
    Written,
    says_periods_alike,
    write_cdr,
    write_costs,
    write_periods,
    write_volumes,
)
from tariffs.ocpi.costs_reader import COST_KEYS
from tariffs.ocpi.tariff_writer import moment_text
from tariffs.ocpi.versions import OcpiVersion


class CdrKind(StrEnum):
    """What a CDR does. Source: OCPI 2.2.1, mod_cdrs, Credit CDRs."""

    CDR = "cdr"
    CREDIT = "credit"
    """It takes an earlier one back."""


class SaidBy(StrEnum):
    """How a CDR's tariffs come to its total, the most telling way first."""

    TARIFF = "tariff"
    """By the tariff as it is published."""
    PERIOD_PRICES = "period_prices"
    """By a tariff for each price that held, which the periods name."""
    FLAT = "flat"
    """By one amount; its lines stand in the remark."""


class CdrForm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One way to say what the session cost; every form has the same total."""

    said_by: SaidBy
    tariffs: tuple[Tariff, ...]
    periods: tuple[ChargingPeriod, ...]
    stated: StatedTotals


class SaidIn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How one version says a CDR.

    `form` is the index of the form that it takes; `written` are the members of the object that it
    states of times, periods and totals, in the very bytes that were read and priced again; `lost`
    are codes of what it has no spot for.
    """

    form: int
    written: msgspec.Raw
    lost: tuple[str, ...] = ()


class CdrPlace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where it was, as declared then. Source: OCPI 2.2.1, mod_cdrs, CdrLocation.

    `country` by three letters; coordinates as OCPI's texts of degrees.
    """

    location_id: str
    evse_uid: str
    evse_id: str
    connector_id: str
    time_zone: str
    name: str | None = None
    address: str | None = None
    city: str | None = None
    postal_code: str | None = None
    country: str | None = None
    latitude: str | None = None
    longitude: str | None = None
    standard: str | None = None
    format: str | None = None
    power_type: str | None = None


class CdrNote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the partner manager is to know of a CDR: a code, a sentence, in which version."""

    code: str
    message: str
    version: str | None = None


class CdrBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is frozen. `token` is a subject id, `contract` sealed with that one's key.

    `versions` says how each version says it, by which of `forms`; one that is not there cannot.
    `replaces` is the CDR that stood before with this partner. `signed`: so many signed readings
    lie with the session's facts. `remark` says in words what no tariff does. `declared_version` is
    that of the master data that it was made by.
    """

    session_id: str
    starts_at: datetime
    ends_at: datetime
    our_party: str
    currency: str
    place: CdrPlace
    forms: tuple[CdrForm, ...]
    versions: dict[str, SaidIn]
    token: str | None = None
    contract: str | None = None
    auth_method: str = "WHITELIST"
    authorization_reference: str | None = None
    signed: int = 0
    remark: str | None = None
    replaces: str | None = None
    old_corrections: OldCorrections = OldCorrections.STATEMENT
    declared_version: int = 0

    def form(self, version: OcpiVersion) -> CdrForm | None:
        """Return the form that *version* takes; None if it cannot say this CDR."""
        said = self.versions.get(version.value)
        return None if said is None else self.forms[said.form]


class MadeCdr(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of the table `roaming_cdr`.

    `number` counts the CDRs to this `party` from 1 in the order of their making. Of a credit
    `credits` names what it takes back, and net, tax and energy are negative: sums need no case.
    `revision` is that of the decision that brought it about.
    """

    party: str
    cdr_id: str
    session_id: str
    revision: int
    kind: CdrKind
    credits: str | None
    legal_entity: str
    currency: str
    net_minor: int
    tax_minor: int
    energy_wh: Decimal
    started_at: datetime
    ended_at: datetime
    billing_month: str
    made_at: datetime
    number: int
    notes: tuple[CdrNote, ...]
    body: bytes
    sha256: bytes

    @property
    def said(self) -> CdrBody:
        """Return the body, decoded."""
        return decode_body(self.body)


class PricePart(NamedTuple):
    """What a CDR states of times, periods and totals in one version; `lost`: codes of the rest."""

    json: msgspec.Raw
    lost: tuple[str, ...]


class Frozen(NamedTuple):
    """A body's bytes and their hash."""

    body: bytes
    sha256: bytes


_DECODER: Final = msgspec.json.Decoder(CdrBody)


def freeze(body: CdrBody) -> Frozen:
    """Return *body* as canonical JSON, with its sha256: the same CDR, the same bytes."""
    data = canonical_json(body)
    return Frozen(data, sha256(data).digest())


def decode_body(body: bytes) -> CdrBody:
    """Return what `freeze` froze."""
    return _DECODER.decode(body)


def price_part(cdr: Cdr, version: OcpiVersion) -> PricePart:
    """Return the members of *cdr* in *version* that a price hangs on, but for its tariffs."""
    written, lost = write_cdr(cdr, version)
    del written["id"]
    written.pop("tariffs", None)
    codes = tuple(dict.fromkeys(note.code for note in lost))
    return PricePart(msgspec.Raw(encoded(written)), codes)


class PriceParts:
    """What one CDR states in several versions, as `price_part` has it; its tariffs stand apart.

    What versions say alike is worked out and written once. `cdr` states its taxes one by one.
    """

    def __init__(self, cdr: Cdr) -> None:
        self.cdr = cdr
        self._summed = _summed(cdr)
        self._start, self._end = moment_text(cdr.starts_at), moment_text(cdr.ends_at)
        self._volumes = write_volumes(cdr)
        self._periods: Written | None = None

    def written(self, version: OcpiVersion) -> PricePart:
        """Return what *version* states."""
        is_oldest = version is OcpiVersion.V2_1_1
        cdr = self.cdr if version is OcpiVersion.V2_3_0 else self._summed
        periods, costs = self._written_periods(version), write_costs(cdr, version)
        written = {
            "start_date_time": self._start,
            "stop_date_time" if is_oldest else "end_date_time": self._end,
            "currency": cdr.currency,
            "charging_periods": periods.json,
            **costs.json,
            **self._volumes,
        }
        lost = (*periods.lost, *costs.lost)
        codes = tuple(dict.fromkeys(note.code for note in lost)) if lost else ()
        return PricePart(msgspec.Raw(encoded(written)), codes)

    def read(self, version: OcpiVersion, tariffs: tuple[Tariff, ...]) -> Cdr:
        """Return the CDR as who reads it in *version*, with *tariffs*, gets it."""
        if version is OcpiVersion.V2_3_0:
            return replace(self.cdr, tariffs=tariffs)
        if version is not OcpiVersion.V2_1_1:
            return replace(self._summed, tariffs=tariffs)
        stated = self.cdr.stated
        cost = stated.total_cost
        old = StatedTotals(
            total_cost=None if cost is None else StatedCost(before_taxes=cost.before_taxes),
            total_energy=stated.total_energy,
            total_time=stated.total_time,
            total_parking_time=stated.total_parking_time,
        )
        return replace(self.cdr, tariffs=tariffs, stated=old)

    def _written_periods(self, version: OcpiVersion) -> Written:
        if self._periods is None:
            is_alike = version is not OcpiVersion.V2_1_1 or says_periods_alike(self.cdr)
            periods = write_periods(self.cdr, version)
            if not is_alike:
                return periods
            self._periods = periods._replace(json=msgspec.Raw(encoded(periods.json)))
        elif version is OcpiVersion.V2_1_1 and not says_periods_alike(self.cdr):
            return write_periods(self.cdr, version)
        return self._periods


def _summed(cdr: Cdr) -> Cdr:
    """Return *cdr* with the taxes of each cost in one amount, as versions before 2.3.0 state it."""
    known: dict[int, StatedCost] = {}
    costs = {}
    for name in COST_KEYS:
        cost: StatedCost | None = getattr(cdr.stated, name)
        if cost is not None:
            if id(cost) not in known:
                known[id(cost)] = StatedCost(before_taxes=cost.before_taxes, gross=cost.after_taxes)
            costs[name] = known[id(cost)]
    return replace(cdr, stated=replace(cdr.stated, **costs))


def joined(head: Mapping[str, Any], part: msgspec.Raw) -> bytes:
    """Return one JSON object of the members of *head* and of *part*; neither is empty."""
    return b"".join((encoded(head)[:-1], b",", memoryview(part)[1:]))
