"""What is owed, said in each version so that it gives itself again; and what goes out otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.master_data.partners import Partner
from ledger.rating.decisions import SessionRated
from roaming_ocpi.audit.run import Outcome, PricingRun
from roaming_ocpi.audit.tariffs import Refusal
from roaming_ocpi.cdrs.making import MadeBody, make_body, owed_by
from roaming_ocpi.cdrs.saying import VERSIONS, Speaker, UnsayableCdrError
from roaming_ocpi.wire.walls import encoded
from tariffs.cdr.cdr import Cdr
from tariffs.model.policy import DEFAULT
from tariffs.model.tariff import Dimension, Tariff
from tariffs.ocpi.cdr_writer import write_cdr
from tariffs.ocpi.versions import OcpiVersion
from tests.depot import NOON, component, session, tariff
from tests.roaming_ocpi.cdrs.rated_for_partner import (
    GUEST,
    PARTNER,
    decided,
    of_usage,
    rated_for_partner,
    roaming_depot,
    terms_for,
)
from tests.tariffs.chance import chance_tariff, chance_usage

SEEDS = st.integers(0, 1 << 48)
EXAMPLES = 150
USUAL = {"ocpi_version"}
"""Said of every document that is read."""


def cdr_in(made: MadeBody, version: OcpiVersion) -> dict[str, Any] | None:
    """Return the CDR as *version* says it, without what does not bear on the price."""
    form = made.body.form(version)
    if form is None:
        return None
    body = made.body
    cdr = Cdr(
        id="made",
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        currency=body.currency,
        periods=form.periods,
        tariffs=form.tariffs,
        stated=form.stated,
    )
    return write_cdr(cdr, version)[0]


def audited(
    written: dict[str, Any], folder: Path, version: OcpiVersion, time_zone: str
) -> Outcome | Refusal:
    """Return what our own eMSP side finds of a CDR."""
    path = folder / "cdr.json"
    path.write_bytes(encoded(written))
    run = PricingRun([], policy=DEFAULT, time_zone=time_zone, version=version)
    [[outcome]] = list(run.batches([path]))
    return outcome


def by_chance(seed: int) -> tuple[Tariff, SessionRated]:
    """Return a tariff and a session rated by it; most pairs that can be made up are rated."""
    random = Random(seed)
    tariff = replace(chance_tariff(random), id="energy")
    usage = chance_usage(random)
    declarations = roaming_depot(tariff, time_zone=usage.time_zone)
    rated = decided(of_usage(usage), declarations)
    assume(isinstance(rated, SessionRated))
    assert isinstance(rated, SessionRated)
    return tariff, rated


@settings(deadline=None, max_examples=EXAMPLES)
@given(SEEDS, st.sampled_from(["0", "5", "-3.5"]))
def test_any_rated_session_is_audited_without_a_note_in_every_version_that_can_say_it(
    tmp_path_factory: pytest.TempPathFactory, seed: int, mark_up: str
) -> None:
    tariff, rated = by_chance(seed)
    partner = replace(PARTNER, mark_up_percent=Decimal(mark_up))
    made = _made(tariff, rated, partner)
    folder = tmp_path_factory.getbasetemp()

    said = []
    for version in VERSIONS:
        written = cdr_in(made, version)
        if written is None:
            continue
        outcome = audited(written, folder, version, rated.time_zone)
        assert isinstance(outcome, Outcome), outcome
        assert outcome.differences == ()
        assert set(_noted(outcome)) <= {"below_zero"}
        assert outcome.priced.before_minor == made.owed.net_minor
        if version is not OcpiVersion.V2_1_1:
            assert outcome.priced.tax_minor == made.owed.tax_minor
        said.append(version)
    assert said
    assert sum(_energies(made)) == rated.energy_wh


@pytest.mark.parametrize("version", VERSIONS)
def test_moments_have_as_many_characters_as_ocpi_gives_them(version: OcpiVersion) -> None:
    """A station's clock may have microseconds. Source: OCPI 2.2.1, types, DateTime."""
    apart = timedelta(microseconds=123_999)
    charging = session(
        token_uid=GUEST, started_at=NOON + apart, energy_wh="7000", parked_minutes=20
    )
    known = tariff(
        "energy", component(Dimension.ENERGY, "0.40"), component(Dimension.PARKING_TIME, "6")
    )
    rated = rated_for_partner(known, charging)
    assert rated.started_at.microsecond % 1000

    made = make_body(rated, terms_for(known), Speaker())
    written = cdr_in(made, version)

    assert written is not None
    ends = "stop_date_time" if version is OcpiVersion.V2_1_1 else "end_date_time"
    moments = [written["start_date_time"], written[ends]]
    moments += [period["start_date_time"] for period in written["charging_periods"]]
    assert len(moments) > 3
    assert all(len(each) <= 25 for each in moments), moments
    assert moments[0] == moments[2]


def _made(tariff: Tariff, rated: SessionRated, partner: Partner) -> MadeBody:
    terms = terms_for(tariff, partner=partner, time_zone=rated.time_zone)
    try:
        return make_body(rated, terms, Speaker())
    except UnsayableCdrError:
        # Taxes on nothing, or against the net: no VAT gives them.
        owed = owed_by(rated, partner)
        assert owed.tax_minor
        assert owed.net_minor * owed.tax_minor <= 0
        assume(False)
        raise


def _noted(outcome: Outcome) -> Iterator[str]:
    # How a price is reckoned is nothing against the CDR.
    told = USUAL | {phrase.code for phrase in outcome.priced.notes}
    for note in outcome.notes:
        if note.code not in told:
            yield note.code


def _energies(made: MadeBody) -> Iterator[Decimal]:
    for period in made.body.forms[0].periods:
        yield (period.energy or Decimal(0)) * 1000
