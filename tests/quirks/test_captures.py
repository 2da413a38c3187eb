"""Captures of three simulators: the sessions and energies that a person counts who reads them.

The tables were written down by reading the frames (../shared/vectors/ocpp-frames/SOURCE.md says
where they come from): a session for each transaction id, and what its stop's register says less
its start's. What is told twice is one; what a person would not believe, nobody bills unseen.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

import pytest

from ingest.facts.translate import translate
from ledger.facts.flags import Flag
from ledger.facts.station_traits import StationTraits
from ledger.log.envelope import Frame
from ledger.sessions.session import ChargingSession
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import told
from tests.at_the_edge import sealed
from tests.station_story import SHARED, sessions_of

FAST = StationTraits(time_zone="UTC", max_power_w=Decimal(2_000_000))
"""Simulators charge a kWh in a few seconds."""
# What each stop says; every session begins at 0.
SAP: Mapping[str, Mapping[str, int]] = {
    "CS-BASIC-00001": {
        "1000": 54, "1005": 25, "1007": 27, "1009": 23, "1010": 51, "1013": 35, "1022": 27,
        "1024": 31, "1026": 19,
    },
    "CS-BASIC-00002": {
        "1001": 29, "1004": 30, "1006": 12, "1012": 28, "1014": 14, "1017": 23, "1019": 20,
        "1020": 59, "1021": 51, "1027": 0, "1028": 0,
    },
    "CS-BASIC-00003": {
        "1002": 36, "1003": 51, "1008": 47, "1011": 25, "1015": 59, "1016": 29, "1018": 24,
        "1023": 21, "1025": 2, "1029": 0,
    },
    "CS-KEBA-OCPP2-SIGNED-00001": {
        "0629046f-fdc9-437f-b148-eb006121fda8": 0, "a5bfe252-a297-4e09-b86a-d82ec22e1829": 0,
    },
    "CS-KEBA-OCPP2-SIGNED-00002": {
        "972e2c22-5cb3-40f9-9f53-9fb984c39f25": 0, "ef5f6089-1245-4fba-9641-9232bbbc8dbe": 0,
    },
}  # fmt: skip
STOPPED_TWICE = {
    "1021", "1023", "1024", "1029",
    "a5bfe252-a297-4e09-b86a-d82ec22e1829", "ef5f6089-1245-4fba-9641-9232bbbc8dbe",
}  # fmt: skip


def frames(capture: str) -> Iterator[Frame]:
    """Yield the calls of a capture with their answers, in the order in which the calls came."""
    path = SHARED / f"own-capture_{capture}.jsonl"
    if not path.exists():
        pytest.skip("the captures lie in ../shared/vectors, which is not here")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    messages = [(row, json.loads(row["msg"])) for row in rows]
    answers = {(row["cp"], said[1]): row["msg"] for row, said in messages if said[0] in (3, 4)}
    for row, said in messages:
        if said[0] == 2:
            frame = Frame(
                received_at=datetime.fromisoformat(row["t"]),
                station=row["cp"],
                protocol=row["sub"],
                epoch=1,
                frame=row["msg"],
                reply=answers.get((row["cp"], said[1])),
                direction=row["dir"],
            )
            yield sealed(frame)


def charged(
    capture: str, traits: StationTraits = FAST
) -> dict[str, dict[str, list[ChargingSession]]]:
    """Return the sessions of each station of a capture by transaction."""
    by_station: defaultdict[str, list[Frame]] = defaultdict(list)
    for frame in frames(capture):
        by_station[frame.station].append(frame)
    found: dict[str, dict[str, list[ChargingSession]]] = {}
    for station, said in by_station.items():
        facts = [
            fact
            for position, frame in enumerate(said)
            for fact in translate(frame, position=position, line=0)
        ]
        sessions: defaultdict[str, list[ChargingSession]] = defaultdict(list)
        for session in sessions_of(fold_station(station, told(facts), traits)):
            sessions[session.transaction_ref].append(session)
        found[station] = dict(sessions)
    return found


def test_thirty_four_sessions_of_the_sap_simulator_with_the_energy_of_their_stops() -> None:
    found = charged("sap")

    counted = {
        station: {ref: [each.energy_wh for each in some] for ref, some in sessions.items()}
        for station, sessions in found.items()
    }
    assert counted == {
        station: {ref: [Decimal(wh)] for ref, wh in sessions.items()}
        for station, sessions in SAP.items()
    }
    assert sum(len(sessions) for sessions in SAP.values()) == 34


def test_each_of_them_has_ended_and_the_stops_that_came_twice_are_named() -> None:
    sessions = [
        session
        for station in charged("sap").values()
        for some in station.values()
        for session in some
    ]

    assert all(session.is_ended for session in sessions)
    twice = {each.transaction_ref for each in sessions if Flag.DUPLICATE_STOP in each.flags}
    assert twice == STOPPED_TWICE
    assert not any(Flag.CONFLICTING_STOP in each.flags for each in sessions)


def test_one_session_of_one_and_a_half_kwh_of_each_version_of_the_cp_simulator() -> None:
    found = charged("cpsim")

    counted = {
        station: [(each.energy_wh, each.is_complete) for some in sessions.values() for each in some]
        for station, sessions in found.items()
    }
    assert counted == {station: [(Decimal(1500), True)] for station in ("SIM16", "SIM201", "SIM21")}


CALM = StationTraits(time_zone="UTC", max_power_w=Decimal(150_000))


def of_virtual_charge_point(station: str) -> ChargingSession:
    ((session,),) = charged("vcp", CALM)[station].values()
    return session


def test_a_third_of_a_kwh_of_the_virtual_charge_point_in_1_6_and_2_0_1() -> None:
    """Its 2.0.1 writes Wh and calls them kWh, but for the stop: power refutes the samples."""
    old, new = of_virtual_charge_point("VCP16"), of_virtual_charge_point("VCP201")

    assert (old.energy_wh, old.is_complete) == (Decimal(350), True)
    assert (new.energy_wh, new.is_complete) == (Decimal("350.51"), True)
    assert Flag.READING_SPIKE_DROPPED in new.flags


def test_a_stop_of_2_1_that_leaves_out_its_unit_waits_for_a_person() -> None:
    """Its samples are kWh, its stop says 0.35013 of nothing: by the standard that is Wh.

    Who reads the capture takes it for 0.35013 kWh. Nobody is billed a guess: until somebody
    looks, what the last sample shows is the least that flowed.
    """
    session = of_virtual_charge_point("VCP21")

    assert session.is_ended
    assert session.energy_wh == Decimal("300.06")
    # Its meter signed 0.35013 kWh.
    assert session.blockers == (
        Flag.METER_STOP_ESTIMATED,
        Flag.READINGS_ABOVE_STOP,
        Flag.SIGNED_READING_DIFFERS,
    )
    assert Flag.UNIT_MISSING in session.flags
    assert [each.value_wh for each in session.refused_stops] == [Decimal("0.35013")]
