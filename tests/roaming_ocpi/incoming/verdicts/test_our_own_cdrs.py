"""What we send as CPO we accept as eMSP: any rated session, in each version that can say it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.log.envelope import PartnerMessage
from ledger.log.event_log import Position
from ledger.master_data.partners import OldCorrections
from roaming_ocpi.cdrs.made import CdrKind, MadeCdr, freeze
from roaming_ocpi.cdrs.making import MadeBody, make_body
from roaming_ocpi.cdrs.saying import VERSIONS, Speaker, UnsayableCdrError
from roaming_ocpi.cdrs.telling.disclosure import Disclosure
from roaming_ocpi.cdrs.telling.excerpt import excerpt_of
from roaming_ocpi.cdrs.telling.wire import wire_cdr
from roaming_ocpi.incoming.told import CDRS, MessageReader, ToldCdr
from roaming_ocpi.incoming.verdicts.judging import ENERGY_KWH_MAX, POWER_KW_MAX, judge_cdr
from roaming_ocpi.incoming.verdicts.known import CdrBefore, CdrSurroundings
from roaming_ocpi.incoming.verdicts.repricing import Repricer
from roaming_ocpi.incoming.verdicts.verdict import CdrVerdict
from roaming_ocpi.places.partner_tariffs import TARIFF_ID_MAX
from roaming_ocpi.wire.walls import encoded
from tariffs.adjustments.adjustment import Surcharge
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.tariff import Dimension, Tariff
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tariffs.ocpi.tariff_writer import write_tariff
from tariffs.ocpi.versions import OcpiVersion
from tests.depot import component, session
from tests.depot import tariff as tariff_of
from tests.roaming_ocpi.cdrs.rated_for_partner import (
    GUEST,
    PARTNER,
    rated_for_partner,
    terms_for,
)
from tests.roaming_ocpi.cdrs.test_saying import by_chance
from tests.roaming_ocpi.incoming.partner_stories import CAME, SUBJECT

OURS = "DE-HBC"
BEARER = Disclosure(uid=SUBJECT, contract_id=SUBJECT)


def published_to(tariff: Tariff, told: ToldCdr, version: OcpiVersion) -> list[CompiledTariff]:
    """Return the tariff as its partner had it before, if it is looked for by the CDR's ids."""
    assert told.cdr is not None
    named = {each.id for each in told.cdr.tariffs}
    named |= {each.tariff_id for each in told.cdr.periods if each.tariff_id is not None}
    if tariff.id.casefold() not in {each.casefold() for each in named}:
        return []
    written, _ = write_tariff(tariff, version)
    written.setdefault("currency", tariff.currency)
    return [CompiledTariff(ocpi_tariff_of(decode_json(encoded(written))).tariff)]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_version_cannot_say_is_accepted_beside_what_was_published(
    version: OcpiVersion,
) -> None:
    """A surcharge: the partner has the tariff without it, and must not price by that."""
    plain = replace(tariff_of("energy", component(Dimension.ENERGY, "0.40")), id="energy")
    tariff = replace(plain, adjustments=(Surcharge(percent=Decimal(10)),))
    rated, terms = rated_for_partner(tariff, session(token_uid=GUEST)), terms_for(tariff)
    made = make_body(rated, terms, Speaker())

    told = told_in(made, version)

    assert told is not None
    assert told.net == Decimal("4.40")
    around = CdrSurroundings(published=published_to(terms.tariff, told, version))
    assert judge_cdr(told, around, Repricer()).codes == ()
    [embedded] = told.cdr.tariffs if told.cdr else ()
    assert embedded.id.startswith("energy*")
    assert len(embedded.id) <= TARIFF_ID_MAX


def made_by_chance(seed: int, mark_up: str) -> tuple[MadeBody, str, Tariff]:
    """Return a CDR of ours, the time zone where it was, and the tariff as the partner has it."""
    tariff, rated = by_chance(seed)
    partner = replace(
        PARTNER,
        mark_up_percent=Decimal(mark_up),
        old_corrections=OldCorrections.NEGATIVE_CDR,
    )
    terms = terms_for(tariff, partner=partner, time_zone=rated.time_zone)
    try:
        made = make_body(rated, terms, Speaker())
    except UnsayableCdrError:
        assume(False)
        raise
    kwh = (rated.energy_wh or Decimal(0)) / 1000
    seconds = int((made.body.ends_at - made.body.starts_at).total_seconds())
    # A vehicle's, which sessions by chance need not be.
    assume(kwh <= ENERGY_KWH_MAX)
    assume(kwh * 3600 <= POWER_KW_MAX * max(seconds, 1))
    return made, rated.time_zone, terms.tariff


def told_in(made: MadeBody, version: OcpiVersion, *, kind: CdrKind = CdrKind.CDR) -> ToldCdr | None:
    """Return the CDR as a partner of *version* reads it, None where it cannot be said."""
    if made.body.form(version) is None:
        return None
    frozen = freeze(made.body)
    row = MadeCdr(
        party="NL-TNM",
        cdr_id="made" if kind is CdrKind.CDR else "made-C",
        session_id="ST-1/7/20260302T120000Z",
        revision=1,
        kind=kind,
        credits=None if kind is CdrKind.CDR else "made",
        legal_entity="depot",
        currency=made.body.currency,
        net_minor=made.owed.net_minor,
        tax_minor=made.owed.tax_minor,
        energy_wh=Decimal(0),
        started_at=made.body.starts_at,
        ended_at=made.body.ends_at,
        billing_month="2026-03",
        made_at=CAME,
        number=1,
        notes=(),
        body=frozen.body,
        sha256=frozen.sha256,
    )
    written, _ = wire_cdr(excerpt_of(row), version, BEARER)
    line = PartnerMessage(
        received_at=made.body.ends_at, party=OURS, what=CDRS, body=written.decode()
    )
    return MessageReader().cdr(line, Position(0, 0, 0))


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 1 << 48), st.sampled_from(["0", "5", "-3.5"]))
def test_any_rated_session_is_accepted_without_a_code_and_its_credit_takes_it_back(
    seed: int, mark_up: str
) -> None:
    made, zone, tariff = made_by_chance(seed, mark_up)
    for version in VERSIONS:
        told = told_in(made, version)
        if told is None:
            continue
        for published in ([], published_to(tariff, told, version)):
            # The place was told with its time zone, which a CDR of 2.2.1 does not say.
            around = CdrSurroundings(zone=zone, takes_negative=True, published=published)
            found = judge_cdr(told, around, Repricer())
            assert found.codes == (), version
            assert found.verdict is CdrVerdict.ACCEPTED
        credit = told_in(made, version, kind=CdrKind.CREDIT)
        assert credit is not None
        if credit.net:
            original = known(told)
            around = CdrSurroundings(original=original, at_once=[original], takes_negative=True)
            if version is OcpiVersion.V2_1_1 and credit.net > 0:
                continue  # a tariff that pays the driver, taken back: no version of old says so
            taken = judge_cdr(credit, around, Repricer())
            assert (taken.codes, taken.is_credit, taken.credits) == ((), True, "made"), version


def known(told: ToldCdr) -> CdrBefore:
    """Return a CDR as the table would have it."""
    assert told.cdr is not None
    return CdrBefore(
        id=told.id,
        key=told.key,
        is_credit=False,
        credited_by=None,
        currency=told.cdr.currency,
        net=told.net,
        tax=told.tax,
        energy=told.energy,
        started_at=told.cdr.starts_at,
        ended_at=told.cdr.ends_at,
        subject=told.subject,
        session_key=told.session_key,
    )
