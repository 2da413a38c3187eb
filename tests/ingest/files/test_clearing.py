"""What of files goes by itself, and when."""

from __future__ import annotations

from uuid import uuid4

from ingest.files.addresses import AddressFor, make_address
from ingest.files.clearing import clear_files
from ingest.files.contents import store_content
from ledger.database import connect
from tests.ingest.files.served_files import BASE, volt


def test_a_file_goes_after_so_many_days_and_firmware_stays(database: str) -> None:
    firmware = volt(database, b"firmware")
    with connect(database) as connection:
        for name, days in (("new", "29.9"), ("old", "30.1"), ("older", "300")):
            file_id = store_content(connection, [b"log"]).file_id
            number = make_address(connection, BASE, AddressFor("CP1", uuid4())).number
            connection.execute(
                "INSERT INTO station_file VALUES (%s, 'CP1', %s, %s)", (file_id, number, name)
            )
            connection.execute(
                "UPDATE stored_file SET ended_at = now() - %s::float8 * interval '1 day'"
                " WHERE id = %s",
                (days, file_id),
            )
        connection.execute(
            "UPDATE stored_file SET ended_at = now() - interval '1 year' WHERE id ="
            " (SELECT file_id FROM firmware WHERE id = %s)",
            (firmware.id,),
        )

        clear_files(connection, kept_days=30)

        names = connection.execute("SELECT name FROM station_file").fetchall()
        left = connection.execute("SELECT count(*) FROM file_chunk").fetchone()
    assert (names, left) == ([("new",)], (2,))


def test_what_never_came_whole_goes_after_a_day(database: str) -> None:
    with connect(database) as connection:
        connection.execute(
            "INSERT INTO stored_file (begun_at) SELECT now() - hours * interval '1 hour'"
            " FROM unnest('{1, 23, 25, 900}'::int[]) AS begun (hours)"
        )

        clear_files(connection, kept_days=30)

        assert connection.execute("SELECT count(*) FROM stored_file").fetchone() == (2,)


def test_an_expired_address_goes_but_for_one_that_a_campaign_hears_by(database: str) -> None:
    firmware = volt(database, b"firmware")
    with connect(database) as connection:
        kept, asked, old = uuid4(), uuid4(), uuid4()
        for command_id, days in ((kept, 29), (asked, 31), (old, 31)):
            number = make_address(connection, BASE, AddressFor("CP1", command_id)).number
            connection.execute(
                "UPDATE file_address SET expires_at = now() - %s * interval '1 day' WHERE id = %s",
                (days, number),
            )
        connection.execute(
            "INSERT INTO firmware_campaign (name, firmware_id, is_plain, failures_percent, tries,"
            " at_once, heard_within, made_by, made_at, changed_by, changed_at)"
            " VALUES ('spring', %s, false, 10, 1, 1, '1 hour', 'a', now(), 'a', now())",
            (firmware.id,),
        )
        connection.execute(
            "INSERT INTO campaign_station (campaign_id, station_id, stage, number, vendor, model,"
            " time_zone, state, command_id, asked_at)"
            " SELECT id, 'CP1', 1, 0, '', '', 'UTC', 'asked', %s, now() FROM firmware_campaign",
            (asked,),
        )

        clear_files(connection, kept_days=30)

        left = connection.execute("SELECT command_id FROM file_address ORDER BY id").fetchall()
    assert left == [(kept,), (asked,)]
