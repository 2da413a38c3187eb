"""A visit: money is put aside, a session is started with it, and what that costs is taken.

    wanted -> holding -> held -> starting -> charging -> ended -> capturing -> captured

Before it charges it is let go of, or fails: releasing -> released, failed. So is what ended and
owes nothing.

What may happen to it is a table (MOVES), so that what comes twice, late or in another order changes
nothing: a pair that does not stand there is no move.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID, uuid5

_CALLS: Final = UUID("2b5d2f8c-6a0e-5a55-9a55-6b1d6e2f4c10")


class VisitState(StrEnum):
    """How far a visit is."""

    WANTED = "wanted"
    """The provider was not heard of it yet."""
    HOLDING = "holding"
    """The driver is to agree: a card, 3-D Secure."""
    HELD = "held"
    STARTING = "starting"
    """The station is told to start; a car is waited for."""
    CHARGING = "charging"
    ENDED = "ended"
    """The session is over; its price or its invoice is still to come."""
    CAPTURING = "capturing"
    CAPTURED = "captured"
    RELEASING = "releasing"
    RELEASED = "released"
    FAILED = "failed"
    """Nothing is held, and nothing was taken: what there is to pay stands open."""


class VisitEvent(StrEnum):
    """What happens to a visit."""

    ASKED = "asked"
    """The provider has it, and the driver is to agree."""
    HOLDS = "holds"
    DECLINED = "declined"
    CALLS = "calls"
    SEEN = "seen"
    """A session of its token is in the books."""
    ENDS = "ends"
    CAPTURES = "captures"
    LETS_GO = "lets_go"
    GONE = "gone"
    """The provider holds nothing of it any more."""
    TAKEN = "taken"


_S, _E = VisitState, VisitEvent

MOVES: Final[Mapping[tuple[VisitState, VisitEvent], VisitState]] = MappingProxyType(
    {
        (_S.WANTED, _E.ASKED): _S.HOLDING,
        (_S.WANTED, _E.HOLDS): _S.HELD,
        (_S.WANTED, _E.DECLINED): _S.FAILED,
        (_S.WANTED, _E.GONE): _S.FAILED,
        (_S.HOLDING, _E.HOLDS): _S.HELD,
        (_S.HOLDING, _E.DECLINED): _S.FAILED,
        (_S.HOLDING, _E.LETS_GO): _S.RELEASING,
        (_S.HOLDING, _E.GONE): _S.FAILED,
        (_S.HELD, _E.CALLS): _S.STARTING,
        (_S.HELD, _E.LETS_GO): _S.RELEASING,
        (_S.HELD, _E.GONE): _S.FAILED,
        (_S.STARTING, _E.SEEN): _S.CHARGING,
        (_S.STARTING, _E.LETS_GO): _S.RELEASING,
        (_S.STARTING, _E.GONE): _S.FAILED,
        (_S.CHARGING, _E.ENDS): _S.ENDED,
        (_S.ENDED, _E.CAPTURES): _S.CAPTURING,
        (_S.ENDED, _E.LETS_GO): _S.RELEASING,
        # The hold was lost while the car charged: there is nothing to take it from.
        (_S.ENDED, _E.GONE): _S.FAILED,
        (_S.CAPTURING, _E.TAKEN): _S.CAPTURED,
        (_S.CAPTURING, _E.GONE): _S.FAILED,
        # The provider refuses to take it: too little for it, say.
        (_S.CAPTURING, _E.LETS_GO): _S.RELEASING,
        (_S.RELEASING, _E.GONE): _S.RELEASED,
    }
    # Somebody took it by hand, at the provider.
    | {(state, _E.TAKEN): _S.CAPTURED for state in _S if state is not _S.CAPTURED}
)
OVER: Final = frozenset({VisitState.CAPTURED, VisitState.RELEASED, VisitState.FAILED})
MAY_CHARGE: Final = frozenset({VisitState.STARTING, VisitState.CHARGING})
"""While it is in one of these its token may charge."""


class CardVisit(NamedTuple):
    """A visit and how it stands; amounts in minor units, `token_uid` a subject id.

    `number` is ours, `place` that of its last step. See the migration for the other names.
    """

    number: int
    provider: str
    legal_entity: str
    station_id: str
    evse_id: int
    token_uid: str
    secret_digest: bytes
    currency: str
    amount_minor: int
    tariff: str
    wanted_at: datetime
    wanted_by: str
    state: VisitState = VisitState.WANTED
    place: int = 1
    reason: str = ""
    until: datetime | None = None
    intent_id: str | None = None
    held_minor: int = 0
    held_at: datetime | None = None
    call_id: UUID | None = None
    called: str | None = None
    shown_at: datetime | None = None
    taken_minor: int = 0

    @property
    def subject(self) -> str:
        """What requests to the provider are for."""
        return visit_subject(self.number)

    def key(self, what: str) -> str:
        """Return the key of a request: no other visit, of any database, has it."""
        return f"{what}:{self.token_uid}"

    @property
    def starting_call(self) -> UUID:
        """The id of the call that starts it: the same after a kill."""
        return uuid5(_CALLS, f"start:{self.token_uid}")

    def ending_call(self, session_id: str, attempt: int) -> UUID:
        """Return the id of a call that ends one of its sessions, where its hold is lost."""
        return uuid5(_CALLS, f"end:{self.token_uid}:{attempt}:{session_id}")


def visit_subject(number: int) -> str:
    """Return what requests of visit *number* are for ("visit/12")."""
    return f"visit/{number}"


def visit_number(subject: str) -> int | None:
    """Return the number of the visit that *subject* names, None where it names none."""
    word, _, number = subject.partition("/")
    return int(number) if word == "visit" and number.isascii() and number.isdigit() else None
