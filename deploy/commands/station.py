"""`wattledger station`: credentials for charging stations."""

from __future__ import annotations

import secrets

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.output import print_json, say
from ledger.declared.passwords import hash_password

PASSWORD_BYTES = 16


def password(*, of: str | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """Make a password for a station, with the hash that master data may hold instead of it.

    Args:
        of: Hash this password; without it a random one is made (32 hex digits, as 1.6 wants).
        folder: Where.
    """
    chosen = of or secrets.token_hex(PASSWORD_BYTES)
    digest = hash_password(chosen)
    if folder.json:
        print_json({"password": chosen, "password_hash": digest})
    else:
        say(f"password       {chosen}", f"password_hash  {digest}")
    return 0
