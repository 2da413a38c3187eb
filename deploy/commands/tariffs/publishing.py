"""`wattledger tariff publish`: tariff files become versions that price sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.tariffs.assigning import TO_NOBODY, Assigning
from deploy.commands.text_files import read_text
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened_with_log

if TYPE_CHECKING:
    from psycopg import Connection

    from ledger.approvals.record import TariffRecord
    from ledger.desk.publish import Published
    from ledger.master_data.assignments import Assignment

Start = Annotated[datetime | None, Parameter(name=["--from", "--valid-from"])]


def publish(
    *files: Path,
    valid_from: Start = None,
    by: str | None = None,
    reason: str = "",
    dry_run: bool = False,
    to: Assigning = TO_NOBODY,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Publish tariff files as immutable versions.

    A session is priced with the version that was in force when it began. Publishing the same file
    again changes nothing. Problems are reported all at once as file:line:column. Where the policy
    says `four_eyes: true`, this proposes: the version holds once somebody else approves it.

    Args:
        files: Tariff files, one tariff each.
        valid_from: From when the versions hold (default: now). A time without zone is UTC.
        by: Who publishes (default: your login).
        reason: Why it shall hold, where the policy wants that of so large a change.
        dry_run: Show what would be published, and publish nothing.
        to: Whose sessions it prices.
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.declared.store import load_declarations
    from ledger.desk.approvals import tariff_desk
    from ledger.desk.forgetting.person_exchange import exchange_assignments
    from ledger.desk.publish import Holding, publish_files

    if not files:
        message = "tariff publish needs at least one file"
        raise DeployError(message)
    texts = [(read_text(path), str(path)) for path in files]
    holds_from = _utc(valid_from)
    assignments = _assignments(texts, to)
    who, now = acting(by), SystemClock().now()
    with opened_with_log(folder.settings(), is_new=True) as (connection, log):
        if load_declarations(connection).policy(now).four_eyes and not dry_run:
            assigned = exchange_assignments(connection, assignments)
            with tariff_desk(connection, log) as desk:
                proposed = desk.propose(texts, assigned, by=who, at=now, holds_from=holds_from)
            _print_proposed(proposed, len(files), connection, is_json=folder.json)
            return 0
        done = publish_files(
            connection, texts, log=log, by=who, at=now,
            holding=Holding(holds_from, assignments), reason=reason, is_dry=dry_run,
        )  # fmt: skip
    _print_published(done, len(files), is_dry=dry_run, is_json=folder.json)
    return 0


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _assignments(texts: Sequence[tuple[str, str]], to: Assigning) -> tuple[Assignment, ...]:
    from ledger.desk.publish import read_tariffs

    if to.is_empty:
        return ()
    if len(texts) != 1:
        message = "to assign a tariff, publish one file at a time"
        raise DeployError(message)
    return to.assignments(read_tariffs(texts)[0].id)


def _print_proposed(
    proposed: Sequence[TariffRecord], files: int, connection: Connection[Any], *, is_json: bool
) -> None:
    from deploy.commands.tariffs.records import print_records

    print_records("Proposed", proposed, connection, is_json=is_json)
    if not is_json:
        say(f"{len(proposed)} of {files} proposed; nothing holds before somebody else says:")
        for record in proposed:
            say(f"  wattledger tariff approve {record.tariff_id} --hash {record.sha256[:12]}")


def _print_published(done: Published, files: int, *, is_dry: bool, is_json: bool) -> None:
    from deploy.commands.tariffs.records import HASH_SHOWN
    from ledger.master_data.assignments import Assignment
    from ledger.master_data.tariff_versions import TariffVersion
    from ledger.persons.store import readable

    if is_json:
        print_json({"published": done.planned, "version": done.version}, names=done.names)
        return
    rows = [
        (each.key, each.after.sha256[:HASH_SHOWN], each.valid_from)
        for each in done.planned
        if isinstance(each.after, TariffVersion)
    ]
    assigned = [
        (each.after.tariff, readable(each.key, done.names), each.valid_from)
        for each in done.planned
        if isinstance(each.after, Assignment)
    ]
    would = "would be " if is_dry else ""
    if rows:
        title = "Would publish" if is_dry else "Published"
        print_rows(title, {"tariff": "left", "version": "left", "holds from": "left"}, rows)
    if assigned:
        title = "Would assign" if is_dry else "Assigned"
        print_rows(title, {"tariff": "left", "to": "left", "holds from": "left"}, assigned)
    say(done_sentence(len(rows), len(assigned), files, would))


def done_sentence(published: int, assigned: int, files: int, would: str) -> str:
    """Return what was done, or would be, as a sentence."""
    said = [f"{published} of {files} {would}published"] if published else []
    if assigned:
        said.append(f"{assigned} {would}assigned")
    if not said:
        return "Nothing changes: all of it holds already, as it is."
    if published < files:
        said.append(f"{files - published} held already, as in the file")
    return f"{'; '.join(said)}."
