"""`wattledger statement`, as somebody types it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from deploy.cli import MISUSED, WRONG, run
from deploy.settings import NAMES
from ledger.database import connect
from ledger.desk.customers.prepaying import PrepaymentWish, prepay
from ledger.master_data.customers import Delivery
from tests.depot import NOON
from tests.projections.documents.issued_documents import issue, operator

PERIOD = ("--from", "2026-11-01", "--to", "2026-12-01")


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database that the command line works on, with who charged and who did not."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    readers = {"ada": Delivery.NONE, "bob": Delivery.NONE}
    issue(database, operator(database, readers, language="de"), ["ada-1", "ada-1"])
    return database


def test_a_statement_is_pages_or_a_page_for_the_screen(
    place: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert place
    file = tmp_path / "november.pdf"

    assert run(["statement", "ada", *PERIOD, "--output", str(file)]) == 0
    capfdbinary.readouterr()
    assert run(["statement", "ada", *PERIOD, "--html"]) == 0

    assert file.read_bytes().startswith(b"%PDF-1.7")
    html = capfdbinary.readouterr().out.decode()
    assert "Ada Reader" in html
    assert "9,52" in html, "two of 4.76"


def test_whose_account_is_not_clear_is_asked(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["statement", "bob", *PERIOD]) == WRONG
    assert "bob has no account" in capsys.readouterr().err
    assert run(["statement", "eve", *PERIOD]) == WRONG
    assert "there is no customer eve" in capsys.readouterr().err
    with connect(place) as connection:
        wish = PrepaymentWish("ada", Decimal(5), "GBP", "R-1")
        prepay(connection, wish, by="test", at=NOON + timedelta(days=1))
    assert run(["statement", "ada", *PERIOD]) == WRONG
    assert "depot in EUR; depot in GBP" in capsys.readouterr().err
    assert run(["statement", "ada", *PERIOD, "--currency", "gbp", "--html"]) == 0


@pytest.mark.parametrize(
    ("period", "code"),
    [
        (("--from", "2026-12-01", "--to", "2026-11-01"), WRONG),
        (("--from", "2026-11-01", "--to", "2026-11-01"), WRONG),
        (("--from", "0001-01-01", "--to", "0001-01-01"), WRONG),
        (("--from", "0001-01-01", "--to", "9999-12-31", "--html"), 0),
        (("--from", "soon", "--to", "2026-11-01"), MISUSED),
        (("--from", "2026-11-01"), MISUSED),
    ],
)
def test_a_period_that_is_none_is_refused(place: str, period: tuple[str, ...], code: int) -> None:
    assert place
    assert run(["statement", "ada", *period]) == code
