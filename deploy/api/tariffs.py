"""Tariffs over HTTP: which there are, their versions, and each as a file and as OCPI says it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery, PathParameter, QueryParameter
from psycopg_pool import ConnectionPool

from deploy.api.conventions.within import Asked, reach_in, wants
from deploy.interface.access import Scope
from deploy.interface.books import Newest, Pool
from deploy.interface.paging import LIMIT, Cursor, Limit, cut, key_of
from ledger.declared.declarations import Declarations
from ledger.declared.store import NewestDeclarations
from ledger.master_data.tariff_versions import TariffVersion
from projections.finding.tariffs import (
    DeclaredVersion,
    TariffAssigned,
    assigned_to,
    tariff_version,
    tariffs_within,
    versions_of,
)
from tariffs.files.writing.tariff import write_tariff_file
from tariffs.kernel.priced import Note
from tariffs.ocpi.tariff_writer import encode_ocpi, write_tariff
from tariffs.ocpi.versions import version_named

READS_TARIFFS: Final = wants(Scope.TARIFFS)
ASSIGNMENTS_MAX: Final = 1_000
YAML: Final = "application/yaml"
TariffId = Annotated[str, PathParameter(description="Its id", schema_extra={"maxLength": 100})]
Hash = Annotated[
    str | None,
    QueryParameter(
        pattern="^[0-9a-f]{8,64}$",
        description="Of which version; left out: the one that holds now",
    ),
]
OcpiName = Literal["2.1.1", "2.2.1", "2.3.0"]


class ListedTariff(msgspec.Struct, frozen=True, kw_only=True):
    """A tariff, and the version of it that holds now, if any does."""

    id: str
    name: str | None
    currency: str | None
    sha256: str | None


class TariffPage(msgspec.Struct, frozen=True):
    """Some tariffs, and where the next ones begin; null: there are none."""

    items: list[ListedTariff]
    next: str | None


class TariffDetail(ListedTariff, frozen=True, kw_only=True):
    """A tariff with all its versions, and what it is assigned to now: the first thousand."""

    versions: list[DeclaredVersion]
    assigned_to: list[TariffAssigned]


class TariffAsOcpi(msgspec.Struct, frozen=True, kw_only=True):
    """A tariff in OCPI's words; `notes` say what these cannot say."""

    version: str
    sha256: str
    tariff: dict[str, Any]
    notes: list[Note]


class TariffsController(Controller):
    """Tariffs."""

    tags = ("tariffs",)

    @get("/tariffs", opt=READS_TARIFFS, sync_to_thread=True)
    def listed(
        self,
        request: Asked,
        pool: Pool,
        newest: Newest,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> TariffPage:
        """Return the tariffs by their ids."""
        declared, ids = _within(request, pool, newest)
        start = 0 if cursor is None else bisect_right(ids, key_of(cursor, str))
        shown, more = cut(ids[start : start + limit + 1], limit, lambda each: each)
        now = datetime.now(UTC)
        return TariffPage([_listed(each, declared.tariff(each, now)) for each in shown], more)

    @get("/tariffs/{tariff_id:str}", opt=READS_TARIFFS, sync_to_thread=True)
    def one(self, request: Asked, pool: Pool, newest: Newest, tariff_id: TariffId) -> TariffDetail:
        """Return a tariff with its versions and where it is assigned."""
        declared, now = _found(request, pool, newest, tariff_id), datetime.now(UTC)
        listed = _listed(tariff_id, declared.tariff(tariff_id, now))
        return TariffDetail(
            **msgspec.structs.asdict(listed),
            versions=versions_of(declared, tariff_id),
            assigned_to=assigned_to(declared, tariff_id, now, limit=ASSIGNMENTS_MAX),
        )

    @get("/tariffs/{tariff_id:str}/file", opt=READS_TARIFFS, media_type=YAML, sync_to_thread=True)
    def file(
        self, request: Asked, pool: Pool, newest: Newest, tariff_id: TariffId, sha256: Hash = None
    ) -> Response[str]:
        """Return a version as a tariff file (YAML), as `wattledger tariff publish` takes it."""
        declared = _found(request, pool, newest, tariff_id)
        text, _ = write_tariff_file(_version(declared, tariff_id, sha256).tariff)
        return Response(text, media_type=YAML)

    @get("/tariffs/{tariff_id:str}/ocpi", opt=READS_TARIFFS, sync_to_thread=True)
    def ocpi(
        self,
        request: Asked,
        pool: Pool,
        newest: Newest,
        tariff_id: TariffId,
        sha256: Hash = None,
        version: FromQuery[OcpiName] = "2.3.0",
    ) -> TariffAsOcpi:
        """Return a version as OCPI says it, with notes of what it cannot say."""
        declared = _found(request, pool, newest, tariff_id)
        found = _version(declared, tariff_id, sha256)
        tariff = found.tariff
        if tariff.last_updated is None:
            since = next(
                each.holds_from
                for each in versions_of(declared, tariff_id)
                if each.sha256 == found.sha256
            )
            tariff = msgspec.structs.replace(tariff, last_updated=since)
        value, notes = write_tariff(tariff, version_named(version))
        return TariffAsOcpi(
            version=version,
            sha256=found.sha256,
            tariff=msgspec.json.decode(encode_ocpi(value)),
            notes=[*notes],
        )


ROUTES: Final[Sequence[type[Controller]]] = (TariffsController,)


def _within(
    request: Asked, pool: ConnectionPool[Any], newest: NewestDeclarations
) -> tuple[Declarations, tuple[str, ...]]:
    with pool.connection() as connection:
        declared = newest.of(connection)
    return declared, tariffs_within(declared, reach_in(request, Scope.TARIFFS))


def _found(
    request: Asked, pool: ConnectionPool[Any], newest: NewestDeclarations, tariff_id: str
) -> Declarations:
    declared, ids = _within(request, pool, newest)
    if tariff_id not in ids:
        message = f"there is no tariff {tariff_id}"
        raise NotFoundException(message)
    return declared


def _version(declared: Declarations, tariff_id: str, sha256: str | None) -> TariffVersion:
    found = tariff_version(declared, tariff_id, sha256, datetime.now(UTC))
    if found is None:
        which = "version of it holds now" if sha256 is None else f"version {sha256} of it"
        message = f"there is no {which}: GET /tariffs/{tariff_id} lists them"
        raise NotFoundException(message)
    return found


def _listed(tariff_id: str, version: TariffVersion | None) -> ListedTariff:
    return ListedTariff(
        id=tariff_id,
        name=version.tariff.name if version else None,
        currency=version.tariff.currency if version else None,
        sha256=version.sha256 if version else None,
    )
