"""OCPP 1.6 frames to facts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from ingest.facts.translate import translate
from ledger.facts.flags import Flag
from ledger.facts.station_facts import (
    ChargingState,
    ConnectorStatusChanged,
    FrameSetAside,
    Measurand,
    Reading,
    ReadingContext,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationFact,
    transaction_of,
)
from ledger.log.envelope import Frame
from tests.at_the_edge import sealed

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def _facts(text: str, *, reply: str | None = None, protocol: str = "ocpp1.6") -> list[StationFact]:
    frame = Frame(
        received_at=NOON, station="CS-1", protocol=protocol, epoch=1, frame=text, reply=reply
    )
    return translate(sealed(frame), position=7, line=3)


def test_a_start_takes_its_id_from_our_reply() -> None:
    (fact,) = _facts(
        '[2,"1","StartTransaction",{"connectorId":2,"idTag":"A","meterStart":17,'
        '"reservationId":5,"timestamp":"2026-03-02T11:59:00Z"}]',
        reply='[3,"1",{"transactionId":42,"idTagInfo":{"status":"Accepted"}}]',
    )

    assert fact == SessionStarted(
        station_id="CS-1",
        position=7,
        line=3,
        received_at=NOON,
        transaction_ref="42",
        evse_id=2,
        connector_id=2,
        token_uid="a",
        occurred_at=datetime(2026, 3, 2, 11, 59, tzinfo=UTC),
        meter_start_wh=Decimal(17),
        reservation_id=5,
    )
    assert transaction_of(fact) == "42"


def test_a_start_without_our_reply_is_kept_under_its_content() -> None:
    for reply in (None, '[4,"1","InternalError","",{}]', "broken"):
        (fact,) = _facts(
            '[2,"1","StartTransaction",{"connectorId":2,"idTag":"A","meterStart":17,'
            '"timestamp":"2026-03-02T11:59:00Z"}]',
            reply=reply,
        )

        assert isinstance(fact, SessionStarted)
        assert fact.transaction_ref == "unnumbered-2-2026-03-02T11:59:00Z"
        assert fact.oddities == ("transaction_id_unknown",)


def test_meter_values_keep_what_bills_in_base_units_and_nothing_else() -> None:
    (fact,) = _facts(
        '[2,"1","MeterValues",{"connectorId":1,"transactionId":42,"meterValue":['
        '{"timestamp":"2026-03-02T11:58:00Z","sampledValue":['
        '{"value":"1.5","unit":"kWh","context":"Sample.Clock"},'
        '{"value":"11.04","unit":"kW","measurand":"Power.Active.Import"},'
        '{"value":"16","unit":"A","measurand":"Current.Import","phase":"L1"},'
        '{"value":"48","unit":"A","measurand":"Current.Import"},'
        '{"value":"231","unit":"V","measurand":"Voltage","phase":"L1-N"},'
        '{"value":"31","unit":"Celsius","measurand":"Temperature"}]}]}]'
    )
    at = datetime(2026, 3, 2, 11, 58, tzinfo=UTC)

    assert isinstance(fact, SessionUpdated)
    assert fact.readings == (
        Reading(at, Measurand.ENERGY_REGISTER_WH, Decimal(1500), ReadingContext.CLOCK),
        Reading(at, Measurand.POWER_W, Decimal(11040)),
        Reading(at, Measurand.CURRENT_A, Decimal(48)),
    )
    assert [str(reading.value) for reading in fact.readings] == ["1500", "11040", "48"]
    assert (fact.transaction_ref, fact.oddities) == ("42", ())


def test_a_register_at_the_inlet_counts_only_where_the_outlet_has_none() -> None:
    def registers(*locations: str) -> list[Decimal]:
        samples = ",".join(
            f'{{"value":"{index + 1}","unit":"Wh","location":"{location}"}}'
            for index, location in enumerate(locations)
        )
        (fact,) = _facts(
            '[2,"1","MeterValues",{"connectorId":1,"meterValue":['
            f'{{"timestamp":"2026-03-02T11:58:00Z","sampledValue":[{samples}]}}]}}]'
        )
        assert isinstance(fact, SessionUpdated)
        return [reading.value for reading in fact.readings]

    assert registers("Inlet", "Outlet") == [2]
    assert registers("Inlet") == [1]


def test_signed_data_is_kept_as_text_and_never_read_as_a_number() -> None:
    (fact,) = _facts(
        '[2,"1","StopTransaction",{"transactionId":42,"meterStop":17,'
        '"timestamp":"2026-03-02T11:59:00Z","transactionData":['
        '{"timestamp":"2026-03-02T11:59:00Z","sampledValue":['
        '{"value":"{\\"signedMeterData\\":\\"T0NNRg==\\"}","format":"SignedData",'
        '"context":"Transaction.End"}]}]}]'
    )

    assert isinstance(fact, SessionEnded)
    assert fact.readings == ()
    assert [(s.context, s.text) for s in fact.signed] == [
        (ReadingContext.END, '{"signedMeterData":"T0NNRg=="}')
    ]


def test_states_and_boots_belong_to_no_transaction() -> None:
    (state,) = _facts(
        '[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError",'
        '"status":"SuspendedEV"}]'
    )
    (boot,) = _facts(
        '[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M",'
        '"chargeBoxSerialNumber":"S"}]'
    )

    assert isinstance(state, ConnectorStatusChanged)
    assert (state.charging_state, state.occurred_at) == (ChargingState.SUSPENDED_EV, None)
    assert isinstance(boot, StationBooted)
    assert (boot.vendor, boot.model, boot.serial) == ("V", "M", "S")
    assert transaction_of(state) == transaction_of(boot) == ""


def test_what_bills_nothing_gives_no_fact() -> None:
    for text in (
        '[2,"1","Heartbeat",{}]',
        '[2,"1","Authorize",{"idTag":"A"}]',
        '[3,"1",{}]',
        '[4,"1","InternalError","",{}]',
    ):
        assert _facts(text) == []


def test_what_is_no_message_or_speaks_an_unknown_protocol_is_set_aside_and_counted() -> None:
    garbage, unknown = _facts("garbage"), _facts('[2,"1","Heartbeat",{}]', protocol="ocpp9")

    assert [f.reason for f in garbage if isinstance(f, FrameSetAside)] == ["not_rpc"]
    assert [f.reason for f in unknown if isinstance(f, FrameSetAside)] == ["unknown_protocol"]


def test_the_lenient_way_reads_the_same_as_the_strict_one() -> None:
    strict = (
        '[2,"1","MeterValues",{"connectorId":1,"transactionId":42,"meterValue":['
        '{"timestamp":"2026-03-02T11:58:00Z","sampledValue":[{"value":"1500","unit":"Wh"}]}]}]'
    )
    (expected,) = _facts(strict)

    for lenient in (
        strict.replace('"connectorId":1', '"connectorId":"1"'),
        strict.replace('"transactionId":42', '"transactionId":"42"'),
        strict.replace('[2,"1",', "[2,1,"),
    ):
        assert _facts(lenient) == [expected]


def test_a_phase_that_is_no_conductor_is_none_without_a_name() -> None:
    (fact,) = _facts(
        '[2,"1","MeterValues",{"connectorId":1,"transactionId":7,"meterValue":'
        '[{"timestamp":"2026-03-02T12:00:00Z","sampledValue":[{"value":"500","phase":"-N"}]}]}]'
    )

    assert isinstance(fact, SessionUpdated)
    assert [(each.value, each.phase) for each in fact.readings] == [(Decimal(500), "-N")]
    assert Flag.ENUM_UNKNOWN in fact.oddities
