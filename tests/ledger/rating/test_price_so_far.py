"""Price so far: what an open session costs is what it is rated at, if its stop brings no news."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.facts.flags import Flag
from ledger.master_data.assignments import Assignment
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token, TokenStatus
from ledger.rating.decide import decide, release
from ledger.rating.decisions import SessionHeld, SessionRated, SessionRevision
from ledger.rating.entitlements import AllowanceKey, Entitlements, Standing
from ledger.rating.price_so_far import NoPrice, PriceSoFar, price_so_far
from ledger.sessions.session import ChargingSession
from tariffs.adjustments.consumption import Consumption
from tariffs.files.tariff_file import read_tariff_file
from tests.depot import NOON, declared, moment_of, session

TARIFF = """
tariff: rich
currency: EUR
vat: 19 %
elements:
  - energy: 0.30 per kWh
    restrictions: {start_time: "20:00", end_time: "06:00"}
  - energy: 0.40 per kWh
    parking_time: 6.00 per h
    flat: 0.35
min_price: 1.00
adjustments:
  - {allowance: all, free: [energy], kwh_max: 5, shared_by: everybody, members: everyone}
  - {shared_cap: energy, amount: 9, on: [energy], per: day, shared_by: customer}
"""


def open_version(ended: ChargingSession) -> ChargingSession:
    """Return the session as it was before its stop told what its last reading had told."""
    return msgspec.structs.replace(ended, ended_at=None, provisional_ended_at=ended.ended_at)


def here(text: str = TARIFF, *, group: str | None = "everyone") -> Declarations:
    tariff, problems = read_tariff_file(text, "rich.yaml")
    assert tariff is not None, problems
    return declared(
        (Kind.TARIFF, "rich", published(tariff), BEGINNING),
        (Kind.ASSIGNMENT, "site=harbour", Assignment(tariff="rich", site="harbour"), BEGINNING),
        (Kind.TOKEN, "anna-1", Token(customer="anna", group=group), BEGINNING),
    )


class HalfUsed:
    """Allowances of which others used something, however often it is asked."""

    def __init__(self, energy_wh: int, minor: int) -> None:
        self._used = Consumption(energy_wh=Decimal(energy_wh), amount_minor=minor, uses=1)

    def standings(
        self, session: SessionRevision, keys: Sequence[AllowanceKey]
    ) -> tuple[Standing, ...]:
        assert session.revision == 1
        return (Standing(1, self._used),) * len(keys)


@given(
    energy=st.integers(0, 90_000_000),
    minutes=st.integers(0, 3000),
    parked=st.integers(0, 600),
    later=st.integers(0, 1440),
    used=st.tuples(st.integers(0, 6_000), st.integers(0, 1_000)),
)
@settings(max_examples=80)
def test_at_the_stop_the_price_so_far_is_the_price(
    energy: int, minutes: int, parked: int, later: int, used: tuple[int, int]
) -> None:
    started_at = NOON.replace(hour=later // 60, minute=later % 60) if later < 1440 else NOON
    ended = session(
        started_at=started_at,
        energy_wh=str(Decimal(energy) / 1000),
        minutes=minutes,
        parked_minutes=parked,
    )
    entitled = Entitlements(allowances=HalfUsed(*used))
    known = here()

    so_far = price_so_far(open_version(ended), known, entitled)

    rated = decide(ended, known, moment=moment_of(ended), entitlements=entitled)
    assert isinstance(rated, SessionRated)
    expected = PriceSoFar(
        until=rated.ended_at,
        currency=rated.currency,
        net_minor=rated.net_minor,
        tax_minor=rated.tax_minor,
    )
    assert so_far == expected
    assert price_so_far(ended, known, entitled) == expected


def test_it_is_what_a_release_would_bill() -> None:
    charging = open_version(session(energy_wh="12345", parked_minutes=7))
    known = here()

    so_far = price_so_far(charging, known)

    released = release(charging, known, moment=moment_of(charging), by="ann", reason="lost")
    assert isinstance(released, SessionRated)
    assert isinstance(so_far, PriceSoFar)
    assert (so_far.net_minor, so_far.tax_minor) == (released.net_minor, released.tax_minor)


def without_energy(charging: ChargingSession) -> ChargingSession:
    return msgspec.structs.replace(charging, energy_wh=None, points=())


UNDECLARED = declared((Kind.STATION, "ST-1", None, BEGINNING))
BLOCKED = declared((Kind.TOKEN, "anna-1", Token(status=TokenStatus.BLOCKED), BEGINNING))
NO_TARIFF = declared((Kind.ASSIGNMENT, "site=harbour", None, BEGINNING))


@pytest.mark.parametrize(
    ("charging", "known", "codes"),
    [
        pytest.param(session(), NO_TARIFF, ["tariff_missing"], id="no tariff"),
        pytest.param(session(), UNDECLARED, ["station_undeclared"], id="no station"),
        pytest.param(session(), BLOCKED, ["token_blocked"], id="a blocked token"),
        pytest.param(session(token_uid=None), declared(), ["token_missing"], id="no token"),
        pytest.param(without_energy(session()), declared(), ["energy_unknown"], id="no energy"),
        pytest.param(
            session(blockers=[Flag.STOP_LOST]), declared(), ["stop_lost"], id="a lost stop"
        ),
        pytest.param(
            session(blockers=[Flag.CLOCK_UNSYNCED]), here(), ["clock_unsynced"], id="a wrong clock"
        ),
    ],
)
def test_what_has_no_price_says_the_codes_it_would_be_held_for(
    charging: ChargingSession, known: Declarations, codes: list[str]
) -> None:
    so_far = price_so_far(open_version(charging), known)

    assert isinstance(so_far, NoPrice)
    assert [reason.code for reason in so_far.reasons] == codes
    held = decide(charging, known, moment=moment_of(charging, hours=48))
    assert isinstance(held, SessionHeld)
    assert [reason.code for reason in held.reasons] == codes


def test_a_wrong_clock_makes_no_kwh_dearer_so_far_either() -> None:
    so_far = price_so_far(open_version(session(blockers=[Flag.CLOCK_UNSYNCED])), declared())

    assert isinstance(so_far, PriceSoFar)
    assert so_far.net_minor == 400


def test_what_the_kernel_refuses_has_no_price() -> None:
    backwards = open_version(session())
    backwards = msgspec.structs.replace(backwards, points=backwards.points[::-1])

    so_far = price_so_far(backwards, declared())

    assert isinstance(so_far, NoPrice)
    assert [reason.code for reason in so_far.reasons] == ["pricing_refused"]
