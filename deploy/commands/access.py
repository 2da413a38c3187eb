"""`wattledger access`: tokens for the HTTP interface."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

ScopeName = Literal[
    "read",
    "command",
    "tokens",
    "files",
    "documents",
    "tariffs",
    "books",
    "credit",
    "money",
    "master_data",
    "declare",
    "webhooks",
]
Scopes = Annotated[list[ScopeName], Parameter(consume_multiple=True, negative=())]
COLUMNS = {
    "name": "left",
    "scopes": "left",
    "made by": "left",
    "made": "left",
    "revoked": "left",
}


def add(
    name: str, *, scope: Scopes, by: str | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Make a token for the HTTP interface and show it, this once.

    Args:
        name: What it is for; it stands in what is done with it.
        scope: What it may be used for: read (stations, transactions, calls), command (calls to
            stations), tokens (who may charge), files (what is in stations' logs), documents
            (invoices as their readers get them), tariffs (and price quotes), books (sessions,
            invoices, payments, journal, customers, reports), credit (give back), money (say
            what payments were for), master_data, declare (master data), webhooks.
        by: Who makes it (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.users.access_tokens import make_token

    with opened(folder.settings()) as connection:
        token = make_token(connection, name, scope, by=acting(by), at=SystemClock().now())
    if folder.json:
        print_json({"name": name, "scopes": sorted(set(scope)), "token": token})
    else:
        say(f"{name}: {token}", "Keep it: it is not shown again. Authorization: Bearer TOKEN")
    return 0


def listed(*, folder: ReadingFolder = READ_FOLDER) -> int:
    """List the tokens of the HTTP interface, the newest first.

    Args:
        folder: Where.
    """
    from ledger.users.access_tokens import list_tokens

    with opened(folder.settings()) as connection:
        found = list_tokens(connection)
    if folder.json:
        print_json(found)
        return 0
    rows = [(e.name, e.scopes, e.made_by, e.made_at, e.revoked_at) for e in found]
    print_rows("Access", COLUMNS, rows)
    return 0


def revoke(name: str, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Let a token of the HTTP interface hold no more, at once.

    Args:
        name: The token's name.
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.users.access_tokens import revoke_token

    with opened(folder.settings()) as connection:
        revoke_token(connection, name, by=acting(), at=SystemClock().now())
    if folder.json:
        print_json({"name": name, "revoked": True})
    else:
        say(f"{name} holds no more")
    return 0
