"""Coming in: a name with its password, then a code of the second factor where there is one.

    password --no second factor--> in
             --second factor-----> `Halfway` --its code--> in
             --asked for, none---> `Halfway(is_new)`: a key is offered --a code of it--> in

Who is refused is not told why: no name, another password and a blocked account are one answer, at
one cost.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.users.browser_sessions import end_other_sessions
from ledger.users.proving.links import STEP_LASTS, LinkPurpose, linked_name, make_link, use_link
from ledger.users.proving.passwords import is_password
from ledger.users.proving.refusals import Comer, clear_attempts, count_attempt
from ledger.users.proving.second_factor import offer_factor, offered_address, set_factor, take_code
from ledger.users.store import note_change

NAME_MAX: Final = 60
_KEPT: LiteralString = """
SELECT password, second_factor IS NOT NULL, factor_required FROM user_account
WHERE name = %s AND blocked_at IS NULL
"""


class NotLetInError(LedgerError):
    """No name and password that belong together."""

    def __init__(self) -> None:
        super().__init__("this name and this password do not belong together")


class WrongCodeError(LedgerError):
    """A code that is not the second factor's, or was used."""

    def __init__(self) -> None:
        super().__init__(
            "this is not the code of this moment, or it was used: wait for the next one"
        )


class Halfway(NamedTuple):
    """The password was right; `step` is what the code has to come with.

    `is_new`: the account has to have a second factor and none is set: a key is offered.
    """

    step: str
    is_new: bool


def try_password(
    connection: Connection[Any], name: str, password: str, comer: Comer, now: datetime
) -> str | Halfway:
    """Return the account's name if that is enough to come in, else what is to follow.

    Within no transaction: what is counted stays so.

    Raises:
        TooManyGuessesError: If one has to wait.
        BusyError: If too many come at once.
        NotLetInError: If they do not belong together.
    """
    name = name.strip()[: NAME_MAX + 1].replace("\0", "")
    count_attempt(connection, name, comer, now)
    row = connection.execute(_KEPT, (name,)).fetchone()
    password_kept, has_factor, is_required = row or (None, False, False)
    if not is_password(password, password_kept):
        raise NotLetInError
    if not has_factor and not is_required:
        clear_attempts(connection, name, comer, now)
        return name
    purpose = LinkPurpose.CODE if has_factor else LinkPurpose.FACTOR
    if purpose is LinkPurpose.FACTOR:
        offer_factor(connection, name)
    step = make_link(connection, name, by=name, at=now, lasts=STEP_LASTS, purpose=purpose)
    return Halfway(step, purpose is LinkPurpose.FACTOR)


def offered_in(connection: Connection[Any], step: str, now: datetime) -> str:
    """Return the `otpauth:` address of the key that is offered at a step of a log-in.

    Raises:
        DeadLinkError: If the step is too old.
    """
    return offered_address(connection, linked_name(connection, step, now, LinkPurpose.FACTOR)) or ""


def try_code(
    connection: Connection[Any], halfway: Halfway, code: str, comer: Comer, now: datetime
) -> str:
    """Return the account's name, which comes in by this.

    Within no transaction: what is counted stays so.

    Raises:
        DeadLinkError: If the step is too old, or was taken.
        TooManyGuessesError: If one has to wait.
        WrongCodeError: If the code is none that holds.
    """
    purpose = LinkPurpose.FACTOR if halfway.is_new else LinkPurpose.CODE
    name = linked_name(connection, halfway.step, now, purpose)
    count_attempt(connection, name, comer, now, is_code=True)
    with connection.transaction():
        use_link(connection, halfway.step, now)
        if halfway.is_new:
            is_right = set_factor(connection, name, code, now)
            if is_right:
                end_other_sessions(connection, name)
                note_change(connection, name, "factor_set", {}, by=name, at=now)
        else:
            is_right = take_code(connection, name, code, now)
        if not is_right:
            raise WrongCodeError
    clear_attempts(connection, name, comer, now)
    return name
