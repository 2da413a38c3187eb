"""`wattledger apply`: declare master data from files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.text_files import read_text
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import complain, print_json, print_rows, say
from deploy.running.opening import opened_with_log

if TYPE_CHECKING:
    from ledger.declared.changes import PlannedChange
    from ledger.declared.declarations import Entity
    from ledger.desk.apply import Applied


SHOWN_MAX: Final = 500
"""To lay out a table of a hundred thousand rows takes longer than to declare them."""


def apply(
    *files: Path, dry_run: bool = False, by: str | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Declare the sites, stations, tokens, customers and tariff assignments of YAML files.

    A file with `accounts` is a chart of accounts (books.yaml), of one legal entity or of all.
    Only differences are written, each with the time from which it holds; applying the same files
    again changes nothing. A key with an empty body is withdrawn. Problems are reported all at once
    as file:line:column, and then nothing is declared. What documents will lack is a warning.

    Args:
        files: Files to read, in this order.
        dry_run: Show what would change, and change nothing.
        by: Who declares (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from deploy.document_means import InstalledMeans
    from ledger.desk.apply import apply_files

    if not files:
        message = "apply needs at least one file"
        raise DeployError(message)
    texts = [(read_text(path), str(path)) for path in files]
    with opened_with_log(folder.settings(), is_new=True) as (connection, log):
        who, now = acting(by), SystemClock().now()
        means = InstalledMeans()
        applied = apply_files(
            connection, texts, log=log, by=who, at=now, is_dry=dry_run, means=means
        )
    for each in applied.warnings:
        complain(f"{each.source}:{each.line}:{each.column}: warning: {each.message}")
    if folder.json:
        print_json(
            {"changes": [_row(each, applied) for each in applied.planned], **_summary(applied)}
        )
        return 0
    columns = {"": "left", "kind": "left", "key": "left", "holds from": "left", "what": "left"}
    if applied.planned:
        title = "Would change" if dry_run else "Changed"
        rows = [list(_row(each, applied).values()) for each in applied.planned[:SHOWN_MAX]]
        print_rows(title, columns, rows)
        if more := len(applied.planned) - len(rows):
            say(f"and {more} more: --json tells all of them")
    done = "would change, nothing was" if dry_run else "declared"
    say(f"{len(applied.planned)} {done}; version {applied.version} holds.")
    return 0


def _summary(applied: Applied) -> dict[str, int]:
    return {"version": applied.version}


def _row(change: PlannedChange, applied: Applied) -> dict[str, object]:
    from ledger.persons.store import readable

    act = "+" if change.before is None else "-" if change.after is None else "~"
    return {
        "act": act,
        "kind": str(change.kind),
        "key": readable(change.key, applied.names),
        "valid_from": change.valid_from,
        "what": readable(_difference(change.before, change.after), applied.names),
    }


def _difference(before: Entity | None, after: Entity | None) -> str:
    """Return what is new, field by field, without secrets."""
    from ledger.master_data.stations import Station

    if after is None:
        return "withdrawn"
    parts = []
    for each in msgspec.structs.fields(type(after)):
        new = getattr(after, each.name)
        old = getattr(before, each.name, each.default) if before else each.default
        if new == old:
            continue
        if isinstance(after, Station) and each.name == "password_hash":
            parts.append("new password")
        else:
            parts.append(f"{each.name}={_short(new)}")
    return ", ".join(parts)


def _short(value: object) -> str:
    """Return a value as it fits a table's cell; of many that do not, how many there are."""
    text = str(msgspec.to_builtins(value, builtin_types=(), str_keys=True))
    if isinstance(value, tuple) and len(text) >= 60:  # noqa: PLR2004 - as below
        return str(len(value))
    return text if len(text) < 60 else text[:57] + "..."  # noqa: PLR2004 - fits a table's cell
