"""The files that stations sent, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from litestar import Controller, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response.streaming import ASGIStreamingResponse

from deploy.api.conventions.within import wants
from deploy.interface.access import Scope
from deploy.interface.books import READ, Pool
from ingest.files.contents import MEDIA_TYPE, read_piece
from ingest.interface.calls import StationId
from projections.stations.files import StationFile, read_files


class FilesController(Controller):
    """What stations sent."""

    tags = ("files",)

    @get("/stations/{station_id:str}/files", opt=READ, sync_to_thread=True)
    def listed(self, station_id: StationId, pool: Pool) -> list[StationFile]:
        """Return the files of a station, the newest first; a hundred at most are kept."""
        with pool.connection() as connection:
            return read_files(connection, station_id)

    @get(
        "/stations/{station_id:str}/files/{file_id:int}",
        opt=wants(Scope.FILES),
        media_type=MEDIA_TYPE,
        sync_to_thread=True,
    )
    def content(
        self, station_id: StationId, file_id: FromPath[int], pool: Pool
    ) -> ASGIStreamingResponse:
        """Return what is in a file."""
        with pool.connection() as connection:
            found = next((e for e in read_files(connection, station_id) if e.id == file_id), None)
        if found is None:
            message = f"{station_id} sent no file {file_id}"
            raise NotFoundException(message)
        headers = {
            "Content-Disposition": f'attachment; filename="{found.name}"',
            "Content-Length": str(found.size),
            "ETag": f'"{found.sha256}"',
            "X-Content-Type-Options": "nosniff",
        }
        return ASGIStreamingResponse(
            iterator=_pieces(pool, file_id), headers=headers, media_type=MEDIA_TYPE
        )


def _pieces(pool: Pool, file_id: int) -> Iterator[bytes]:
    # Who reads slowly holds no connection meanwhile.
    for number in count():
        with pool.connection() as connection:
            piece = read_piece(connection, file_id, number)
        if piece is None:
            return
        yield piece
