"""Into a folder: each document as a file of its own, never written over, whatever is killed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from ledger.master_data.customers import Delivery
from projections.documents.delivery.deliverer import Deliverer
from projections.documents.delivery.folder import FolderWay, file_name, write_once
from projections.documents.keeping.keeper import DocumentKeeper
from tests.projections.documents.issued_documents import (
    forget,
    issue,
    make_due,
    operator,
    render_plainly,
    rows,
)

_STATES = "SELECT number, state, attempts FROM document_delivery ORDER BY number"
_ATTEMPTS = "SELECT came_of_it, why FROM delivery_attempt ORDER BY delivery_id, attempt"


@pytest.fixture
def numbers(database: str) -> list[str]:
    """Two kept documents of a reader who gets them into a folder."""
    numbers = issue(database, operator(database, {"ada": Delivery.FOLDER}), ["ada-1", "ada-1"])
    with closing(DocumentKeeper(database, render_plainly)) as keeper:
        keeper.run_once()
    return numbers


def deliver(dsn: str, folder: Path) -> int:
    ways = {Delivery.FOLDER: FolderWay(folder)}
    with closing(Deliverer(dsn, ways)) as deliverer:
        return deliverer.run_once()


def test_each_document_is_a_file_by_its_number(
    database: str, numbers: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "documents"

    assert (deliver(database, folder), deliver(database, folder)) == (2, 0)

    found = {each.name: each.read_bytes() for each in folder.iterdir()}
    assert sorted(found) == sorted(f"{number}.pdf" for number in numbers)
    assert all(name.removesuffix(".pdf").encode() in pdf for name, pdf in found.items())
    assert {row[1:] for row in rows(database, _STATES)} == {("delivered", 1)}


def test_a_file_with_other_bytes_is_never_written_over(
    database: str, numbers: list[str], tmp_path: Path
) -> None:
    (tmp_path / f"{numbers[0]}.pdf").write_bytes(b"somebody's own")

    deliver(database, tmp_path)

    assert (tmp_path / f"{numbers[0]}.pdf").read_bytes() == b"somebody's own"
    assert dict(row[:2] for row in rows(database, _STATES)) == {
        numbers[0]: "refused",
        numbers[1]: "delivered",
    }


def test_what_was_written_before_a_kill_is_found_and_not_written_twice(
    database: str, numbers: list[str], tmp_path: Path
) -> None:
    deliver(database, tmp_path)
    rows(database, "UPDATE document_delivery SET state = 'sending' RETURNING id")
    rows(database, "UPDATE delivery_attempt SET ended_at = NULL, came_of_it = NULL RETURNING 1")
    before = {each: each.stat().st_mtime_ns for each in tmp_path.iterdir()}

    assert deliver(database, tmp_path) == 2

    assert {each: each.stat().st_mtime_ns for each in tmp_path.iterdir()} == before
    assert {row[1:] for row in rows(database, _STATES)} == {("delivered", 2)}
    assert rows(database, _ATTEMPTS)[0] == ("not_delivered", "the process ended")
    assert len(numbers) == len(before)


def test_a_folder_that_cannot_be_written_is_tried_again_later(
    database: str, numbers: list[str], tmp_path: Path
) -> None:
    stands_there = tmp_path / "file"
    stands_there.write_bytes(b"")

    assert (deliver(database, stands_there), deliver(database, stands_there)) == (2, 0)
    assert {row[1] for row in rows(database, _STATES)} == {"waiting"}
    stands_there.unlink()
    make_due(database)

    assert deliver(database, stands_there) == len(numbers)
    assert {row[1:] for row in rows(database, _STATES)} == {("delivered", 2)}


def test_nothing_is_put_there_of_who_was_erased(
    database: str, numbers: list[str], tmp_path: Path
) -> None:
    forget(database, "ada")

    assert (deliver(database, tmp_path), deliver(database, tmp_path)) == (len(numbers), 0)

    assert list(tmp_path.iterdir()) == []
    assert {row[1] for row in rows(database, _STATES)} == {"erased"}


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("HC-2026-000001", "HC-2026-000001.pdf"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.pdf"),
        ("2026/7", "2026%2F7.pdf"),
        ("..", "%2E..pdf"),
        ("Straße 7\0", "Stra%C3%9Fe%207%00.pdf"),
    ],
)
def test_a_number_is_a_name_that_leads_nowhere_else(number: str, name: str) -> None:
    assert file_name(number, "pdf") == name
    assert "/" not in name


def test_nothing_is_left_beside_a_file_and_the_same_bytes_are_the_same_file(tmp_path: Path) -> None:
    place = tmp_path / "a.pdf"

    assert [write_once(place, each) for each in (b"1", b"1", b"2")] == [True, True, False]
    assert [each.name for each in tmp_path.iterdir()] == ["a.pdf"]
    assert place.read_bytes() == b"1"
