"""An app for drivers: see the price, start, follow the cost live, stop, get the receipt.

    python examples/app/app.py http://127.0.0.1:8080 TOKEN CS-001 04A1B2C3 --stop-at 5.00

TOKEN is of the scopes read, command, tariffs, books and documents (`wattledger access add`).
The station speaks OCPP 1.6.
"""

import argparse
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from wattledger_client import Client
from wattledger_client.shapes import CallRequest, LiveSession, QuoteWish, Transaction


def main() -> None:
    """Charge once, for one driver."""
    asked = argparse.ArgumentParser()
    for name in ("address", "token", "station", "driver"):
        asked.add_argument(name)
    asked.add_argument("--stop-at", type=Decimal, default=Decimal(5), help="what it may cost")
    asked.add_argument("--receipt", type=Path, default=Path("receipt.pdf"))
    given = asked.parse_args()
    with Client(given.address, given.token) as client:
        show_price(client, given.station, given.driver)
        session = start(client, given.station, given.driver)
        fetch_receipt(client, follow(client, session, given.stop_at), given.receipt)


def show_price(client: Client, station: str, driver: str) -> None:
    """Say what an hour of 10 kWh would cost, and why."""
    now, later = (datetime.now(UTC) + timedelta(hours=each) for each in (0, 1))
    wish = QuoteWish(station=station, token=driver, starts_at=now, ends_at=later, energy_wh="10000")
    print(client.create_price_quote(wish).explanation)


def start(client: Client, station: str, driver: str) -> Transaction:
    """Start to charge, and return the transaction once the station tells of it."""
    call = CallRequest(action="RemoteStartTransaction", payload={"idTag": driver, "connectorId": 1})
    print("start:", client.create_station_call(station, call).response)
    for _ in range(30):
        if found := client.list_transactions(station=station, token=driver, open_=True).items:
            return found[0]
        time.sleep(1)
    sys.exit("the station did not start: is the cable in?")


def follow(client: Client, session: Transaction, stop_at: Decimal) -> LiveSession:
    """Say what it costs while it goes on; stop it once that is enough."""
    payload = {"transactionId": int(session.transaction_id or 0)}
    stop = CallRequest(action="RemoteStopTransaction", payload=payload)
    while True:
        for now in client.follow_session(session.ref):
            cost = f"{now.cost.gross} {now.cost.currency}" if now.cost else "no price yet"
            print(f"{now.state}: {now.energy_wh} Wh, {cost}")
            if now.is_over:
                return now
            if now.cost and Decimal(now.cost.gross) >= stop_at:
                print("stop:", client.create_station_call(session.station, stop).response)
                stop_at = Decimal("Infinity")  # once is enough


def fetch_receipt(client: Client, session: LiveSession, path: Path) -> None:
    """Write the invoice once it is there."""
    for _ in range(30):
        for number in client.get_session(session.ref).documents:
            if client.get_invoice_delivery(number).state == "rendered":
                path.write_bytes(client.get_invoice_pdf(number))
                print(f"receipt: {number} in {path}")
                return
        time.sleep(1)
    print("the receipt comes later")


if __name__ == "__main__":
    main()
