"""`wattledger invoice pdf|xml|ubl|html` and `wattledger documents`, as somebody types them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from deploy.cli import WRONG, run
from deploy.settings import NAMES
from ledger.database import connect
from ledger.master_data.customers import Delivery
from projections.documents.delivery.deliverer import Deliverer
from projections.documents.keeping.issued import IssuedDocument
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.keeping.kept import RenderedDocument, read_kept
from tests.projections.documents.issued_documents import (
    forget,
    issue,
    operator,
    render_plainly,
    rows,
)


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database that the command line works on."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    return database


@pytest.fixture
def numbers(place: str) -> Sequence[str]:
    """Two invoices, one of a reader who gets them into a folder; nothing is rendered."""
    readers = {"ada": Delivery.NONE, "bob": Delivery.FOLDER}
    return issue(place, operator(place, readers, language="fr"), ["ada-1", "bob-1"])


def told(capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401 - whatever it printed
    return json.loads(capsys.readouterr().out)


def break_rendering(_connection: Connection[Any], _issued: IssuedDocument) -> RenderedDocument:
    message = "a letter of \x1b[31m Ada that no font has"
    raise ValueError(message)


def test_what_is_not_rendered_yet_is_so_when_somebody_asks_and_then_stays(
    place: str, numbers: Sequence[str], tmp_path: Path
) -> None:
    first, again = tmp_path / "first.pdf", tmp_path / "again.pdf"

    assert run(["invoice", "pdf", numbers[0], "--output", str(first)]) == 0
    assert run(["invoice", "pdf", numbers[0], "--output", str(again)]) == 0

    assert first.read_bytes().startswith(b"%PDF-1.7")
    assert first.read_bytes() == again.read_bytes()
    with connect(place) as connection:
        assert read_kept(connection, numbers[0]).pdf == first.read_bytes()


def test_its_electronic_forms_go_to_standard_output(
    numbers: Sequence[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["invoice", "xml", numbers[0]]) == 0
    assert b"CrossIndustryInvoice" in capfdbinary.readouterr().out
    assert run(["invoice", "ubl", numbers[0]]) == 0
    assert numbers[0].encode() in capfdbinary.readouterr().out
    assert run(["invoice", "html", numbers[0]]) == 0
    assert b"<html" in capfdbinary.readouterr().out


@pytest.mark.parametrize("form", ["pdf", "xml", "ubl", "html"])
def test_what_there_is_not_is_said_in_a_sentence(
    place: str, numbers: Sequence[str], form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["invoice", form, "X-1"]) == WRONG
    assert "there is no invoice X-1" in capsys.readouterr().err
    run(["invoice", "pdf", numbers[0], "--output", "/dev/null"])
    forget(place, "ada")
    assert run(["invoice", form, numbers[0]]) == WRONG
    assert f"who {numbers[0]} is for was erased" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_named(
    numbers: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / "none" / "a.pdf"

    assert run(["invoice", "pdf", numbers[0], "--output", str(where)]) == WRONG

    assert f"cannot write {where}" in capsys.readouterr().err


def test_the_list_says_what_waits_and_why(
    place: str, numbers: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(DocumentKeeper(place, break_rendering)) as keeper:
        keeper.run_once()

    assert run(["documents", "list"]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert text.count("failed") == 2
    assert run(["documents", "list", "--json"]) == 0
    listed = told(capsys)
    assert {each["number"] for each in listed} == set(numbers)
    assert {each["why"] for each in listed} == {
        "ValueError: a letter of \x1b[31m Ada that no font has"
    }


def test_what_failed_and_what_waits_is_tried_again_at_once(
    place: str, numbers: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(DocumentKeeper(place, break_rendering)) as keeper:
        keeper.run_once()

    assert run(["documents", "retry", "--all"]) == 0
    assert sorted(capsys.readouterr().out.split()) == sorted(
        [*(f"{number}:" for number in numbers), "again", "again"]
    )
    with closing(DocumentKeeper(place, render_plainly)) as keeper:
        assert keeper.run_once() == 2
    with closing(Deliverer(place, {})) as deliverer:
        assert deliverer.run_once() == 1
    assert run(["documents", "list", "--open", "--json"]) == 0
    [left] = told(capsys)
    assert (left["number"], left["delivery"]) == (numbers[1], "waiting")
    assert left["why"] == "nothing is set for the way folder"
    assert run(["documents", "retry", numbers[1], "--json"]) == 0
    assert told(capsys) == [numbers[1]]
    assert rows(place, "SELECT next_at <= now() FROM document_delivery") == [(True,)]


def test_what_is_over_is_not_tried_again(
    place: str, numbers: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(DocumentKeeper(place, render_plainly)) as keeper:
        keeper.run_once()

    assert run(["documents", "retry", numbers[0]]) == WRONG
    assert f"{numbers[0]}: nothing of it is left to be done" in capsys.readouterr().out
    assert run(["documents", "retry"]) == WRONG
    assert "say which documents, or --all" in capsys.readouterr().err


def test_documents_are_compared_and_what_is_not_what_it_was_is_named(
    place: str, numbers: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["invoice", "pdf", numbers[0], "--output", "/dev/null"]) == 0
    capsys.readouterr()
    assert run(["documents", "check"]) == 0
    assert capsys.readouterr().out == "1 documents compared, 0 are not what they were\n"

    with closing(DocumentKeeper(place, render_plainly)) as keeper:
        keeper.run_once()
    assert run(["documents", "check", numbers[1], "--json"]) == WRONG
    [found] = told(capsys)
    assert (found["same_bytes"], found["same_content"]) == (False, False)
    assert run(["documents", "check", "X-1"]) == WRONG
    assert "there is no invoice X-1" in capsys.readouterr().err
