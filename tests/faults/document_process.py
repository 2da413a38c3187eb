"""A process that renders and delivers, again and again, until somebody kills it."""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg

from ledger.master_data.customers import Delivery
from ledger.shapes import build_shapes
from projections.documents.delivery.deliverer import Deliverer
from projections.documents.delivery.mail import MailServer, MailWay
from projections.documents.delivery.parcel import Parcel
from projections.documents.keeping.keeper import DocumentKeeper
from tests.projections.documents.issued_documents import render_plainly


def letter(parcel: Parcel, _link: str | None) -> tuple[str, str]:
    """Return what a mail says."""
    return parcel.kept.number, "a document\n"


def render_and_deliver(dsn: str, server: MailServer) -> None:
    """Render what is booked and send it; also a backend that was ended is taken up again."""
    build_shapes()  # as whoever does both does: two threads read the first document
    keeping = threading.Thread(target=_render, args=(dsn,), daemon=True)
    keeping.start()
    while True:
        try:
            with closing(Deliverer(dsn, {Delivery.EMAIL: MailWay(server, letter)})) as deliverer:
                while True:
                    deliverer.run_once()
        except psycopg.Error:
            continue


def _render(dsn: str) -> None:
    while True:
        try:
            with closing(DocumentKeeper(dsn, render_plainly)) as keeper:
                while True:
                    keeper.run_once()
        except psycopg.Error:
            continue
