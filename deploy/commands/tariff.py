"""`wattledger tariff`: what is done with tariff files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from deploy.clock import SystemClock
from deploy.commands.declaring import login, read_text
from deploy.commands.place import READ_HERE, ReadingPlace
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.publish import publish_files
from deploy.wiring import opened
from ledger.tariff_versions import TariffVersion

HASH_SHOWN = 12


def publish(
    *files: Path,
    valid_from: datetime | None = None,
    by: str | None = None,
    dry_run: bool = False,
    place: ReadingPlace = READ_HERE,
) -> int:
    """Publish tariff files as immutable versions.

    A session is priced with the version that was in force when it began. Publishing the same file
    again changes nothing. Problems are reported all at once as file:line:column.

    Args:
        files: Tariff files, one tariff each.
        valid_from: From when the versions hold (default: now). A time without zone is UTC.
        by: Who publishes (default: your login).
        dry_run: Show what would be published, and publish nothing.
        place: Where.
    """
    if not files:
        message = "tariff publish needs at least one file"
        raise DeployError(message)
    texts = [(read_text(path), str(path)) for path in files]
    if valid_from is not None and valid_from.tzinfo is None:
        valid_from = valid_from.replace(tzinfo=UTC)
    with opened(place.settings(), is_new=True) as connection:
        done = publish_files(
            connection,
            texts,
            by=by or login(),
            at=SystemClock().now(),
            valid_from=valid_from,
            is_dry=dry_run,
        )
    if place.json:
        print_json({"published": done.planned, "version": done.version})
        return 0
    rows = [
        (each.key, each.after.sha256[:HASH_SHOWN], each.valid_from)
        for each in done.planned
        if isinstance(each.after, TariffVersion)
    ]
    title = "Would publish" if dry_run else "Published"
    if rows:
        print_rows(title, {"tariff": "left", "version": "left", "holds from": "left"}, rows)
    say(f"{len(rows)} of {len(files)} {'would be ' if dry_run else ''}published.")
    return 0
