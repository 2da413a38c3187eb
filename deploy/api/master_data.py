"""Master data over HTTP: what is declared, and declaring it.

A PUT is `wattledger apply` of a file that has this one thing: the same words, the same checks. Who
changes something says of which version (`If-Match`), so that nobody undoes what he never saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Controller, Response, get, put
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import FromPath, HeaderParameter, JSONBody, PathParameter
from psycopg import Connection

from deploy.api.conventions.entity_tags import is_known
from deploy.api.conventions.moments import Moment, moment_in
from deploy.api.conventions.within import Asked
from deploy.document_means import InstalledMeans
from deploy.interface.access import Scope
from deploy.interface.books import Newest, Pool
from deploy.interface.paging import LIMIT, Cursor, Limit, cursor_of, key_of
from deploy.interface.tokens import Declaring
from ledger.declared.declarations import POLICY_KEY, Kind
from ledger.declared.store import LOCK, load_declarations
from ledger.desk.apply import apply_files
from ledger.desk.master_data_files import SECTIONS
from ledger.log.event_log import EventLog
from projections.finding.declared import DeclaredThing, declared_thing, declared_things

READS: Final = {"scope": Scope.MASTER_DATA.value}
DECLARES: Final = {
    "scope": Scope.DECLARE.value,
    "example": {
        "time_zone": "Europe/Berlin",
        "country": "DE",
        "legal_entity": "watt",
        "currency": "EUR",
    },
}
Section = Literal[
    "legal_entities", "sites", "stations", "customers", "tokens", "partners", "policy"
]
Key = Annotated[
    str,
    PathParameter(description='Its key; of the policy "policy"', schema_extra={"maxLength": 255}),
]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", max_length=100, description="The tag of what is changed, from a GET"
    ),
]


class DeclaredPage(msgspec.Struct, frozen=True):
    """What is declared of some things, and where the next ones begin; null: there are none."""

    items: list[DeclaredThing]
    next: str | None


class ChangedMeanwhileError(HTTPException):
    """What is to be changed is not what was read."""

    status_code = HTTPStatus.PRECONDITION_FAILED

    def __init__(self) -> None:
        super().__init__(detail="it was changed since: GET it again, and send its new tag")


class NoTagError(HTTPException):
    """Something that is declared is to be changed unseen."""

    status_code = HTTPStatus.PRECONDITION_REQUIRED

    def __init__(self) -> None:
        super().__init__(detail="it is declared already: send the tag of a GET as If-Match")


class MasterDataController(Controller):
    """What is declared."""

    tags = ("master data",)

    @get(
        "/master-data/{section:str}",
        opt=READS,
        operation_id="list_master_data",
        sync_to_thread=True,
    )
    def listed(
        self,
        pool: Pool,
        newest: Newest,
        section: FromPath[Section],
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> DeclaredPage:
        """Return what holds now of all of a kind."""
        after = None if cursor is None else key_of(cursor, str)
        with pool.connection() as connection:
            found, more = declared_things(
                connection,
                newest.of(connection),
                SECTIONS[section],
                datetime.now(UTC),
                limit=limit,
                after=after,
            )
        return DeclaredPage([*found], None if more is None else cursor_of(more))

    @get("/master-data/{section:str}/{key:str}", opt=READS, sync_to_thread=True)
    def one(
        self, request: Asked, pool: Pool, newest: Newest, section: FromPath[Section], key: Key
    ) -> Response[DeclaredThing]:
        """Return what holds now of one thing; its tag is the version of its declaration."""
        with pool.connection() as connection:
            declared, now = newest.of(connection), datetime.now(UTC)
            found = declared_thing(connection, declared, SECTIONS[section], key, now)
        if found is None:
            message = f"nothing is declared of {key}"
            raise NotFoundException(message)
        if is_known(request.scope, _tag(found)):
            nothing: Any = None
            return Response(
                nothing, status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": _tag(found)}
            )
        return Response(found, headers={"ETag": _tag(found)})

    @put("/master-data/{section:str}/{key:str}", opt=DECLARES)
    async def declare(
        self,
        request: Asked,
        declaring: Declaring,
        newest: Newest,
        section: FromPath[Section],
        key: Key,
        data: JSONBody[dict[str, Any]],
        if_match: IfMatch = None,
        valid_from: Moment = None,
    ) -> Response[DeclaredThing]:
        """Declare a thing as a file of `wattledger apply` says it, from a moment on, or from now.

        What is declared already is changed only under its tag.
        """
        assert data is not None
        by, body = request.user.name, await request.body()
        since = moment_in(valid_from)
        file = _file(section, key, body, since)

        def done(connection: Connection[Any], log: EventLog, at: datetime) -> DeclaredThing | None:
            known = load_declarations(connection, known=newest.of(connection))

            def thing(holds_at: datetime) -> DeclaredThing | None:
                now = load_declarations(connection, known=known)
                return declared_thing(connection, now, SECTIONS[section], key, holds_at)

            def check() -> None:
                # Whoever else declares waits, or did so since *at*: the tag is of what is changed.
                connection.execute(LOCK)
                _check_tag(thing(datetime.now(UTC)), if_match)

            _check_tag(thing(at), if_match)
            means, files = InstalledMeans(has_files=False), [(file, "body")]
            apply_files(
                connection,
                files,
                log=log,
                by=by,
                at=at,
                means=means,
                known=known,
                beside=check,
            )
            return thing(max(at, since or at))

        found = await declaring.declare(done)
        assert found is not None
        return Response(found, headers={"ETag": _tag(found)})


ROUTES: Final[Sequence[type[Controller]]] = (MasterDataController,)


def _tag(found: DeclaredThing) -> str:
    return f'"v{found.version}"'


def _check_tag(found: DeclaredThing | None, if_match: str | None) -> None:
    """See that who changes *found* has seen it.

    Raises:
        NoTagError: If no tag was sent, and something is declared.
        ChangedMeanwhileError: If another one was sent than it has.
    """
    if if_match is None:
        if found is not None:
            raise NoTagError
        return
    tags = [each.strip() for each in if_match.split(",")]
    if found is None or (tags != ["*"] and _tag(found) not in tags):
        raise ChangedMeanwhileError


def _file(section: Section, key: str, body: bytes, valid_from: datetime | None) -> str:
    """Return the file that says so: JSON is YAML, and numbers stay as they were written."""
    # As they came: what a decoder makes of a number is not always what was written.
    entity = body.decode()
    if SECTIONS[section] is not Kind.POLICY:
        entity = f"{{{_json(key)}: {entity}}}"
    elif key != POLICY_KEY:
        message = f"there is one policy, and it is called {POLICY_KEY}"
        raise NotFoundException(message)
    since = "" if valid_from is None else f'"valid_from": {_json(valid_from.isoformat())}, '
    return f"{{{since}{_json(section)}: {entity}}}"


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
