"""A request of a partner as a module gets it, and what the module answers.

A module is a value: routes with a function each. It knows neither HTTP's framework nor the walls
in front of it (`roaming_ocpi.server`): who calls is known, the version spoken, the body read with
exact numbers and within bounds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from roaming_ocpi.errors import RoamingError
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.versions import OcpiVersion

ALL_VERSIONS: Final = frozenset(OcpiVersion)
SINCE_2_2: Final = frozenset({OcpiVersion.V2_2_1, OcpiVersion.V2_3_0})
ONLY_2_3: Final = frozenset({OcpiVersion.V2_3_0})


class Caller(NamedTuple):
    """The partner whose token came with a request.

    `partner` is its key ("NL-TNM"), `parties` all parties for which it may speak (itself; of a hub
    those that are reached through it), `our_party` what we are to it. Who `is_invited` came with
    the token of an invitation (TOKEN_A): it may do the handshake, and nothing else. Whose token
    `is_fresh` has an older one that holds until this one was used (`registration.links.prove_use`).
    `sides` are those of ours that face its roles: it uses the modules of no other.
    """

    partner: str
    parties: frozenset[str]
    our_party: str
    is_invited: bool = False
    is_fresh: bool = False
    sides: frozenset[OurSide] = frozenset(OurSide)


class PageAsked(NamedTuple):
    """What part of a list is asked for; moments in UTC. Source: OCPI 2.2.1, 4.1.4, pagination."""

    offset: int
    limit: int
    date_from: datetime | None = None
    date_to: datetime | None = None


class PartnerCall(NamedTuple):
    """A request. `path` has the parameters of the route's path, percent-decoded.

    `body` is the JSON tree with exact numbers (`tariffs.ocpi.documents.decode_json`), None where
    none came; `text` the body as it came. `now` is when it was received. `page` is there for routes
    that are lists; the filters in `query` are the module's own to read. `token` is what came in the
    header, for the handshake alone. `from_party` is who asks through a hub (OCPI 2.2.1, 4.2.5).
    """

    caller: Caller
    version: OcpiVersion
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    text: str
    now: datetime
    page: PageAsked | None = None
    token: str = ""
    from_party: str | None = None

    @property
    def asked(self) -> PageAsked:
        """The page that is asked for, on a route that is a list."""
        assert self.page is not None, "only a list has pages"
        return self.page

    def __repr__(self) -> str:
        return f"PartnerCall({self.caller.partner}, OCPI {self.version})"


class ObjectPage(NamedTuple):
    """One page of a list: its objects, how many there are in all, and where the next one begins.

    `next_query`: the parameters that the link to the next page adds to the filters of this one;
    None: it is the last. They may say more than an offset, so that pages are stable while the list
    grows. `limit` is what was kept to.
    """

    objects: Sequence[Any]
    total: int
    limit: int
    next_query: Mapping[str, str] | None = None


class Reply(NamedTuple):
    """An answer. `data` goes into the envelope, `page` instead of it where a list was asked for.

    `data` is JSON of dicts, lists, texts, numbers as int or Decimal. `location` becomes the header.
    """

    data: Any = None
    status: Status = Status.SUCCESS
    message: str | None = None
    http: int = 200
    page: ObjectPage | None = None
    location: str | None = None


Handle = Callable[[PartnerCall], Awaitable[Reply]]


class Route(NamedTuple):
    """One method of a module. `path` goes on behind the module's own, "/{party_id}/{id}" or "".

    `summary` is a sentence for the interface's description; `body` and `data` are examples of what
    comes and goes, for it and for tests.
    """

    method: str
    path: str
    handle: Handle
    summary: str
    is_list: bool = False
    has_body: bool = False


class Module(NamedTuple):
    """A module as we offer it on one side, in some versions."""

    identifier: ModuleId
    role: InterfaceRole
    side: OurSide
    routes: Sequence[Route]
    versions: frozenset[OcpiVersion] = ALL_VERSIONS


class OcpiRefusedError(RoamingError):
    """A request that is not served; what the partner is told."""

    def __init__(
        self,
        message: str,
        *,
        status: Status,
        http: int,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.status, self.http, self.headers = status, http, headers

    @classmethod
    def invalid(cls, message: str) -> OcpiRefusedError:
        """Return a refusal of a request that says what cannot be."""
        return cls(message, status=Status.INVALID_PARAMETERS, http=400)

    @classmethod
    def not_found(cls, message: str, status: Status = Status.CLIENT_ERROR) -> OcpiRefusedError:
        """Return a refusal of a request for what is not there, or not the caller's."""
        return cls(message, status=status, http=404)

    @classmethod
    def forbidden(cls, message: str) -> OcpiRefusedError:
        """Return a refusal of a request for what belongs to another party."""
        return cls(message, status=Status.CLIENT_ERROR, http=403)
