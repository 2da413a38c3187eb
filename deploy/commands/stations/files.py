"""`wattledger station files`: what a station sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from projections.stations.files import StationFile

Output = Annotated[Path | None, Parameter(name=("--output", "-o"))]
COLUMNS = {
    "id": "right",
    "file": "left",
    "bytes": "right",
    "received": "left",
    "request": "right",
    "status": "left",
    "sha256": "left",
}


def files(
    station: str,
    *,
    get: str | None = None,
    output: Output = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List the files that a station sent, the newest first, or take one of them.

    Args:
        station: The station's id.
        get: The name of a file, the newest one of that name, or its id.
        output: Where it goes (default: its name, here); a file that is there already stays.
        folder: Where.
    """
    from ingest.files.contents import read_content
    from projections.stations.files import read_files

    with opened(folder.settings()) as connection:
        found = read_files(connection, station)
        if get is None:
            _show(found, as_json=folder.json)
            return 0
        chosen = next((each for each in found if get in (each.name, str(each.id))), None)
        if chosen is None:
            message = f"{station} sent no file {get}: `wattledger station files {station}`"
            raise DeployError(message)
        path = output or Path(chosen.name)
        try:
            with path.open("xb") as taken:
                for piece in read_content(connection, chosen.id):
                    taken.write(piece)
        except OSError as error:
            message = f"cannot write {path}: {error.strerror or error}"
            raise DeployError(message) from error
    if folder.json:
        print_json({"path": str(path), "file": chosen})
    else:
        say(f"{path}: {chosen.size} bytes, sha256 {chosen.sha256}")
    return 0


def _show(found: list[StationFile], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [(e.id, e.name, e.size, e.received_at, e.request_id, e.status, e.sha256) for e in found]
    print_rows("Files", COLUMNS, rows)
