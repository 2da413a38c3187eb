"""Whether two accounts are two people, where something takes two and the second one agrees.

Two names are no two people if one of them let the other in: whoever makes an account, or the link
to one, may have used it. What counts is the last way in that was used, with which all before ended,
and those made since. So an administrator who has finance, too, agrees with nobody whom he let in,
and nobody of them with him, until they use a link of another administrator; and who proposed
something and may do it no more is nobody to agree with. Who agrees may do so still when it is done,
by a job too.

    ada makes an account ben, and proposes as one what she agrees to as the other -> refused
    another administrator then makes ben a link, who chooses a password by it     -> two people
    ann proposes, finance is taken from her, and ben agrees                       -> refused
    ben has a month closed, and is blocked before the job comes to it             -> refused

A name that is no account's (before the first one, or the system's own) is taken as it is.
"""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person
from ledger.users.roles import Permission
from ledger.users.store import find_user

# A way in that was made and not used has ended none of those before. A password by a link has ended
# all of them; where there is none, the last identity of a provider has.
_LET_IN: LiteralString = """
SELECT DISTINCT changed_by FROM user_change
WHERE name = %(name)s AND kind IN ('added', 'linked', 'invited') AND number >= coalesce((
    SELECT max(number) FROM user_change
    WHERE name = %(name)s AND kind IN ('added', 'linked', 'invited') AND number < (
        SELECT coalesce(max(number) FILTER (WHERE kind = 'password_by_link'), max(number))
        FROM user_change WHERE name = %(name)s AND kind IN ('password_by_link', 'identified'))), 0)
"""


class LetInError(LedgerError):
    """One of two people let the other one in, and may be both."""

    def __init__(self, giver: str, name: str) -> None:
        super().__init__(
            f"{giver} made the way in of {name}, so they are not two people here: somebody else "
            f"agrees, or another administrator makes {name} a link first"
        )
        self.giver, self.name = giver, name


class ProposerGoneError(LedgerError):
    """Who proposed something may not do it any more."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} proposed it, and may not do that any more: withdraw it, or turn it down, and "
            "propose it yourself"
        )
        self.name = name


class AgreerGoneError(LedgerError):
    """Who agrees to something may not do it any more."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} may not do that any more: somebody else agrees")
        self.name = name


def check_pair(
    connection: Connection[Any], first: str, second: str, permission: Permission
) -> None:
    """See that *second* may agree with what *first* proposed.

    Args:
        connection: To the database.
        first: Who proposed it.
        second: Who agrees; somebody else, by name.
        permission: What both need for it, somewhere.

    Raises:
        LetInError: If one of them made a way in of the other that may be in use.
        ProposerGoneError: If *first* is an account that may not do it any more.
        AgreerGoneError: If *second* is one.
    """
    for name, other in ((first, second), (second, first)):
        givers = connection.execute(_LET_IN, {"name": name}).fetchall()
        if any(is_same_person(giver, other) for (giver,) in givers):
            raise LetInError(other, name)
        if givers:
            user = find_user(connection, name)
            if user is None or not user.may(permission):
                raise ProposerGoneError(name) if name == first else AgreerGoneError(name)
