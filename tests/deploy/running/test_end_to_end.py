"""What the README promises: up, publish, apply, connect, charge, invoices."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from deploy.fleet.fleet import run_fleet
from deploy.fleet.station_plan import Protocol, StationPlan, Visit
from deploy.fleet.wire import StationRefusedError, WebSocketWire
from tests.deploy.running_wattledger import Wattledger
from tests.faults.running_system import wait_until
from tests.tree import EXAMPLES

MASTER_DATA = """
legal_entities:
  acme: {name: Acme Charging, country: DE, time_zone: Europe/Berlin, invoice_prefix: AC,
    vat_id: DE136695976}
sites:
  depot: {time_zone: Europe/Berlin, country: DE, legal_entity: acme, currency: EUR}
stations:
  CS-16: {site: depot, password: depot-secret-16, connectors: 1, max_power_w: 22080}
  CS-201: {site: depot, password: depot-secret-201, connectors: 1, max_power_w: 22080}
customers:
  ada: {name: Ada Byron, invoicing: per_session, delivery: folder}
tokens:
  04AABBCCDD: {customer: ada}
tariff_assignments:
  - {tariff: energy-only, site: depot}
"""


@pytest.fixture
def wattledger(tmp_path: Path) -> Wattledger:
    return Wattledger(tmp_path / "data")


def charge_of(station_id: str, password: str, protocol: Protocol, at: datetime) -> StationPlan:
    visit = Visit(
        number=1,
        connector_id=1,
        token_uid="04aabbccdd",
        arrives_at=at,
        leaves_at=at + timedelta(hours=1),
        power_w=11_000,
        wanted_wh=8_000,
    )
    return StationPlan(
        station_id=station_id,
        password=password,
        protocol=protocol,
        visits=(visit,),
        boots=(at - timedelta(minutes=1),),
        beats_from=visit.leaves_at,
        ends_at=visit.leaves_at + timedelta(minutes=1),
        register_start_wh=1_000,
    )


def declare(wattledger: Wattledger, folder: Path) -> None:
    path = folder / "depot.yaml"
    path.write_text(MASTER_DATA)
    began = "2026-01-01T00:00:00Z"
    tariff = EXAMPLES / "tariffs" / "energy-only.yaml"
    wattledger.done("tariff", "publish", tariff, "--valid-from", began)
    path.write_text(f"valid_from: {began}\n{MASTER_DATA}")
    wattledger.done("apply", path)


@pytest.mark.timeout(180)
async def test_a_station_connects_charges_and_its_driver_gets_an_invoice(
    wattledger: Wattledger, tmp_path: Path
) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    plans = [
        charge_of("CS-16", "depot-secret-16", Protocol.OCPP16, at),
        charge_of("CS-201", "depot-secret-201", Protocol.OCPP201, at),
    ]
    folder = tmp_path / "documents"
    wattledger.environment["WATTLEDGER_DOCUMENTS_FOLDER"] = str(folder)
    with wattledger.up() as (_, address):
        declare(wattledger, tmp_path)
        tally = await run_fleet(plans, wire=WebSocketWire(address))
        beside = wattledger.until("invoices")
        wait_until(lambda: len(list(folder.glob("*.pdf"))) == 2, "both documents are delivered")
    alone = wattledger.read("invoices")

    assert tally.sent == tally.answered
    assert tally.refused == 0
    assert beside
    assert [(each["customer"], each["currency"], each["gross_minor"]) for each in alone] == [
        ("ada", "EUR", 466),  # 8 kWh at 0.49 is 3.92, 19 % VAT is 0.74 (0.7448)
        ("ada", "EUR", 466),
    ]
    delivered = wattledger.read("documents", "list")
    assert {(each["state"], each["delivery"]) for each in delivered} == {("rendered", "delivered")}
    files = {each.name: sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()}
    assert files == {f"{each['number']}.pdf": each["sha256"] for each in delivered}
    assert "2 documents compared, 0 are not what they were" in wattledger.done("documents", "check")


@pytest.mark.timeout(180)
async def test_a_wrong_password_is_refused(wattledger: Wattledger, tmp_path: Path) -> None:
    at = datetime.now(UTC) - timedelta(hours=2)
    plan = charge_of("CS-16", "somebody else's", Protocol.OCPP16, at)

    with wattledger.up() as (_, address):
        declare(wattledger, tmp_path)
        with pytest.raises(StationRefusedError, match="401"):
            await run_fleet([plan], wire=WebSocketWire(address))
    told = wattledger.read("station", "refused")
    shown = wattledger.done("station", "refused")

    assert told["times"] == {"wrong_password": 1}
    assert [
        (each["reason"], each["identity"], each["address"], each["times"])
        for each in told["refused"]
    ] == [("wrong_password", "CS-16", "127.0.0.1", 1)]
    assert "its password is wrong" in shown
    secret = wattledger.data / "edge.secret"
    assert secret.stat().st_mode & 0o777 == 0o600


@pytest.mark.timeout(180)
def test_one_folder_is_served_once_and_again_after_ctrl_c(wattledger: Wattledger) -> None:
    with wattledger.up() as (process, _):
        second = wattledger.run("up", "--port", "0")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    with wattledger.up() as (process, _):
        assert process.poll() is None

    assert second.returncode == 1
    assert "is already served by process" in second.stderr
    assert "Traceback" not in second.stderr
