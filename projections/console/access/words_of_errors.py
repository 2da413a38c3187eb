"""What people are told who could not come in, or change an account: by kind of error, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.errors import LedgerError
from ledger.users.access_tokens import (
    AccessTokenExistsError,
    NameOfPersonError,
    NoAccessTokenError,
    UnfitTokenNameError,
)
from ledger.users.giving import (
    BlockedAccountError,
    LastAdministratorError,
    OutOfReachError,
    OwnAccountError,
    UnfitGrantError,
    UnfitNameError,
    UnknownRoleError,
)
from ledger.users.identities import NotInvitedError, UnfitInvitationError
from ledger.users.own_account import FactorRequiredError, NotYourPasswordError
from ledger.users.proving.coming_in import NotLetInError, WrongCodeError
from ledger.users.proving.links import DeadLinkError
from ledger.users.proving.passwords import BusyError, WeakPasswordError
from ledger.users.proving.refusals import TooManyGuessesError
from ledger.users.store import UserExistsError
from projections.console.access.typed_hours import UnreadableHoursError
from projections.console.page import ConsolePage
from projections.console.side import NotProvenError


class UnknownPremisesError(LedgerError):
    """A role would hold where nothing is declared."""


WORDS: Final[Mapping[type[LedgerError], str]] = {
    NotLetInError: "This name and this password do not belong together.",
    WrongCodeError: "This is not the code of this moment, or it was used. Wait for the next one.",
    TooManyGuessesError: "Too many attempts. Try again in {seconds} s.",
    BusyError: "Many are signing in at this moment. Try again in a few seconds.",
    DeadLinkError: "This link holds no more. Ask an administrator for another one.",
    WeakPasswordError: (
        "Take at least 12 characters (at most 1024 bytes): several words, not your name and digits."
    ),
    NotYourPasswordError: "This is not your present password.",
    FactorRequiredError: "A second factor is asked of you: set another one instead.",
    NotProvenError: "The provider did not say who you are. Try again, or ask an administrator.",
    NotInvitedError: "Nobody invited you here. Ask an administrator for an account.",
    UnfitInvitationError: "This invites nobody, or invites somebody else already.",
    OwnAccountError: "Nobody changes what they themselves may. Ask another administrator.",
    OutOfReachError: "This reaches further than you do. Ask an administrator of all.",
    LastAdministratorError: "This is the last administrator. Make another one first.",
    UnfitGrantError: "A role at a site names the site's legal entity too.",
    UnfitNameError: "A name has 1 to 60 characters, a letter or digit among them and no comma.",
    UnknownRoleError: "This is no role.",
    UnknownPremisesError: "There is no such legal entity, or no such site of it.",
    UnreadableHoursError: "“{line}” says no hours: 06:00-22:00 MONDAY FRIDAY does.",
    UserExistsError: "There is an account of that name already, or one written nearly so.",
    BlockedAccountError: "This account is blocked. Unblock it first.",
    AccessTokenExistsError: "There is a token of that name already. Choose another name.",
    NameOfPersonError: (
        "This is a person’s name here, or the system’s own. Choose another name for the token."
    ),
    NoAccessTokenError: "No token of that name is in force.",
    UnfitTokenNameError: "A token's name has 1 to 120 characters and no comma.",
}


def in_words(page: ConsolePage, error: LedgerError) -> str:
    """Return what is wrong in the reader's language; of what has no words of its own, its own."""
    words = WORDS.get(type(error))
    if words is None:
        return page.told(error)
    parameters = {name: getattr(error, name, "") for name in ("line", "seconds")}
    return page.text(words, **parameters)
