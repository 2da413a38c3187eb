"""`wattledger tariff approve|reject|retire|versions`: the second pair of eyes, and the end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.text_files import read_text
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, say, utc
from deploy.running.opening import opened, opened_with_log

Hash = Annotated[str | None, Parameter(name=["--hash"])]


def approve(
    tariff: str,
    *,
    file: Path | None = None,
    hash_: Hash = None,
    reason: str = "",
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Approve what was proposed of a tariff: a new version, or its retirement.

    It holds from the time that was proposed, at the earliest from now. Whoever asked for it cannot
    approve it, and a text other than the proposed one is refused. Where What if found that it
    moves more than the policy lets it, or nobody tried it out, a reason is wanted.

    Args:
        tariff: The tariff's id.
        file: The file that you have read: it must say what was proposed.
        hash_: Its hash, or the beginning of it, as `tariff versions` shows it.
        reason: Why it shall hold; it is kept with the decision.
        by: Who approves (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from deploy.commands.tariffs.records import print_records
    from ledger.desk.approvals import tariff_desk
    from ledger.desk.publish import read_tariffs
    from ledger.master_data.tariff_versions import published

    if file is not None and hash_ is not None:
        message = "name the text by its file or by its hash, not by both"
        raise DeployError(message)
    read = hash_
    if file is not None:
        read = published(read_tariffs([(read_text(file), str(file))])[0]).sha256
    with (
        opened_with_log(folder.settings()) as (connection, log),
        tariff_desk(connection, log) as desk,
    ):
        now = SystemClock().now()
        record = desk.approve(tariff, by=acting(by), at=now, sha256=read, reason=reason)
        print_records("Approved", [record], connection, is_json=folder.json)
    return 0


Reason = Annotated[str, Parameter(help="Why; it is kept with the decision.")]


def reject(
    tariff: str, *, reason: Reason, by: str | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Turn down what was proposed of a tariff; its author takes it back in the same way.

    Args:
        tariff: The tariff's id.
        reason: Why; it is kept with the decision.
        by: Who rejects (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from deploy.commands.tariffs.records import print_records
    from ledger.desk.approvals import tariff_desk

    with (
        opened_with_log(folder.settings()) as (connection, log),
        tariff_desk(connection, log) as desk,
    ):
        record = desk.reject(tariff, by=acting(by), at=SystemClock().now(), reason=reason)
        print_records("Rejected", [record], connection, is_json=folder.json)
    return 0


def retire(
    tariff: str,
    *,
    holds_until: Annotated[datetime | None, Parameter(name="--from")] = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Let a tariff price nothing any more.

    Sessions that began before keep their price. Refused while an assignment names the tariff.
    Where the policy says `four_eyes: true`, this asks for it, and somebody else approves.

    Args:
        tariff: The tariff's id.
        holds_until: From when it holds no more (default: now). A time without zone is UTC.
        by: Who retires it (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from deploy.commands.tariffs.records import HASH_SHOWN, print_records
    from ledger.desk.approvals import tariff_desk

    if holds_until is not None and holds_until.tzinfo is None:
        holds_until = holds_until.replace(tzinfo=UTC)
    now = SystemClock().now()
    with (
        opened_with_log(folder.settings()) as (connection, log),
        tariff_desk(connection, log) as desk,
    ):
        done = desk.retire(tariff, by=acting(by), at=now, holds_until=holds_until)
        if done.record is not None:
            print_records("Proposed", [done.record], connection, is_json=folder.json)
            if not folder.json:
                say(f"It holds on until somebody else says: wattledger tariff approve {tariff}")
            return 0
    until = done.holds_until or now
    if folder.json:
        print_json({"retired": tariff, "sha256": done.sha256, "holds_until": until})
    else:
        say(f"tariff {tariff} ({done.sha256[:HASH_SHOWN]}) holds until {utc(until)}")
    return 0


def versions(tariff: str | None = None, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """List the versions that were proposed: their state, who asked and who approved.

    With --json each has its text. What was published with one pair of eyes stands in the
    declarations and is not listed here.

    Args:
        tariff: Only this tariff's.
        folder: Where.
    """
    from deploy.commands.tariffs.records import print_records
    from ledger.approvals.approvals import TariffApprovals
    from ledger.database import dsn_of

    with (
        opened(folder.settings()) as connection,
        TariffApprovals(dsn_of(connection)) as approvals,
    ):
        records = list(approvals.records() if tariff is None else approvals.versions(tariff))
        print_records("Versions", records, connection, is_json=folder.json)
    return 0
