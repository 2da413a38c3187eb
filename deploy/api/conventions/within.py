"""How far whoever asks reaches: an object out of reach is answered as one that does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from litestar import Request
from litestar.exceptions import NotFoundException, ValidationException

from deploy.interface.access import Bearer, Scope
from ledger.users.roles import Reach

Asked = Request[Bearer, Any, Any]
"""A request with whose token came."""


def wants(scope: Scope) -> dict[str, object]:
    """Return the options of a route that wants *scope* and cuts what it answers to its reach."""
    return {"scope": scope.value, "is_cut": True}


READS_BOOKS: Final = wants(Scope.BOOKS)


def reach_in(request: Asked, scope: Scope = Scope.BOOKS) -> Reach:
    """Return how far who asks reaches with *scope*."""
    return request.user.reach(scope)


def legal_entities_in(request: Asked, scope: Scope = Scope.BOOKS) -> Sequence[str] | None:
    """Return of which legal entities the books are within reach; None: of all.

    Books, documents and money are a legal entity's: who reaches some of its sites reaches none.
    """
    reach = reach_in(request, scope)
    return None if reach.is_everywhere else sorted(reach.legal_entities)


def one_legal_entity(request: Asked, given: str | None, scope: Scope = Scope.BOOKS) -> str | None:
    """Return whose books are asked for: the one that is *given*, or the only one within reach.

    None: of all, and all are within reach.

    Raises:
        NotFoundException: If none is, or the one that is given is not.
        ValidationException: If several are, and none is given.
    """
    within = legal_entities_in(request, scope)
    if within is None:
        return given
    if given is None and len(within) > 1:
        message = f"say legal_entity, one of {', '.join(within)}"
        raise ValidationException(message)
    if not within or (given is not None and given not in within):
        message = f"there is no legal entity {given}" if given else "there are no books"
        raise NotFoundException(message)
    return within[0] if given is None else given


def check_reach(
    request: Asked, legal_entity: str | None, missing: str, scope: Scope = Scope.BOOKS
) -> None:
    """See that what is a legal entity's is within reach; *missing* is said where it is not.

    Raises:
        NotFoundException: If it is not, or there is none.
    """
    if legal_entity is None or not reach_in(request, scope).covers(legal_entity):
        raise NotFoundException(missing)
