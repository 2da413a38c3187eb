"""The way into a folder: a file for each document, by its number, never written over."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from psycopg import Connection

from projections.documents.delivery.letter import reminding
from projections.documents.delivery.parcel import NotDeliveredError, Parcel


class FolderWay:
    """Puts documents into a folder. The same bytes again are the same file: nothing goes twice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(
        self, _connection: Connection[Any], parcel: Parcel, _may_arrive: Callable[[], None], /
    ) -> None:
        """Put *parcel* there, whole or not at all.

        Raises:
            NotDeliveredError: If the folder cannot be written, or the name has other bytes.
        """
        place = self._folder / file_name(parcel.kept.number, "pdf")
        content = parcel.kept.pdf
        if parcel.reminder is not None:
            level = parcel.reminder.level
            place = self._folder / file_name(parcel.kept.number, f"reminder-{level}.txt")
            content = "\n\n".join(reminding(parcel, parcel.reminder)).encode()
        try:
            is_there = write_once(place, content)
        except OSError as error:
            why = f"the folder cannot be written: {error.strerror or type(error).__name__}"
            raise NotDeliveredError(why, is_away=True) from error
        if not is_there:
            why = "a file of this name has other bytes"
            raise NotDeliveredError(why, is_final=True)


def file_name(number: str, ending: str) -> str:
    """Return the name of a document's file: one for each number, whatever stands in it.

    What no file system is sure to take is written %XX, as in an address.
    """
    name = quote(number, safe="")
    # A name of dots alone, or one that hides, is made of nothing else.
    return f"{name.replace('.', '%2E', 1) if name.startswith('.') else name}.{ending}"


def write_once(place: Path, content: bytes) -> bool:
    """Write *content* to *place* durably, whole or not at all; False: it has other content.

    Raises:
        OSError: If the folder cannot be written.
    """
    if place.exists():
        return place.read_bytes() == content
    place.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".", suffix=".part")
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link, not a move: that would write over what came meanwhile.
        with suppress(FileExistsError):
            os.link(beside, place)
    finally:
        beside.unlink()
    _sync(place.parent)
    return place.read_bytes() == content


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
