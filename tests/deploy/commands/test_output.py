"""What people read: times are UTC whatever zone they came in."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

import deploy
from deploy.output import complain, print_json, print_rows, say, shown
from deploy.running.parts import write_log
from deploy.settings import Settings

HOSTILE = "CS\x1b[2J\n\u202e1"
HARMLESS = r"CS\x1b[2J\n\u202e1"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        pytest.param(
            datetime.fromisoformat("2026-12-01T00:00:00+01:00"),
            "2026-11-30 23:00:00Z",
            id="an offset is converted, not dropped",
        ),
        pytest.param(
            datetime.fromisoformat("2026-12-01T00:00:00+00:00"), "2026-12-01 00:00:00Z", id="UTC"
        ),
        pytest.param(Decimal("12.50"), "12.5", id="a number without idle zeros"),
        pytest.param(None, "-", id="nothing"),
        pytest.param(("a", None), "a, -", id="a list"),
        pytest.param(HOSTILE, HARMLESS, id="a hostile name"),
        pytest.param([HOSTILE], HARMLESS, id="a hostile name in a list"),
    ],
)
def test_a_cell_is_shown(cell: object, text: str) -> None:
    assert shown(cell) == text


def test_a_name_that_looks_like_markup_is_shown_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_rows("Customers", {"name": "left"}, [("[/bold] & Sons",)])

    assert "[/bold] & Sons" in capsys.readouterr().out


@pytest.mark.parametrize(
    "tell",
    [
        pytest.param(say, id="a sentence"),
        pytest.param(lambda text: say("first", text), id="several lines"),
        pytest.param(lambda text: print_rows(text, {"name": "left"}, []), id="a title of nothing"),
        pytest.param(
            lambda text: print_rows(text, {"name": "left"}, [(text,)]), id="a title and a cell"
        ),
    ],
)
def test_hostile_text_reaches_no_terminal(
    tell: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    tell(HOSTILE.replace("\n", ""))

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert HARMLESS.replace(r"\n", "") in out


def test_a_sentence_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"{HOSTILE} is free")

    assert capsys.readouterr().out == f"{HARMLESS} is free\n"


def test_a_problem_is_safe_to_print(capsys: pytest.CaptureFixture[str]) -> None:
    complain(f"there is no {HOSTILE}")

    assert capsys.readouterr().err == "there is no CS\\x1b[2J\n\\u202e1\n"


def test_json_has_the_same_values(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": HOSTILE + "\x9b"}, names={"CS": "C\x9bS"})

    out = capsys.readouterr().out
    assert json.loads(out) == {"name": HOSTILE.replace("CS", "C\x9bS") + "\x9b"}
    assert re.fullmatch(r"[\x20-\x7e\n]*", out)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """The log of a process whose data lie in a folder of their own."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    write_log(Settings(data=tmp_path))
    yield tmp_path / "wattledger.log"
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = before, level


def test_a_line_of_the_log_is_one_line_and_nobody_elses_business(log: Path) -> None:
    logging.getLogger("wattledger.edge").warning("refused %s", HOSTILE)
    try:
        int(HOSTILE + "\x1b")
    except ValueError:
        logging.getLogger("wattledger.edge").exception("failed")

    lines = log.read_text().split("\n")
    assert lines[0].endswith(f"WARNING wattledger.edge: refused {HARMLESS}")
    assert "\x1b" not in "".join(lines)
    assert lines[2] == "Traceback (most recent call last):"
    assert log.stat().st_mode & 0o777 == 0o600


def test_nothing_but_the_one_place_writes_to_a_terminal() -> None:
    """Whoever wants to print, prints by `deploy.output`, which makes it safe."""
    root = Path(deploy.__file__).parent
    writes = re.compile(r"(?<![\w.])print\(|sys\.std(out|err)\.write|console\(\)\.print")
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if writes.search(path.read_text("utf-8"))
    }

    assert found == {"output.py", "commands/tariffs/tools.py"}


@pytest.mark.parametrize(
    ("metered", "text"),
    [
        ("2400.500", "2400.5"),
        ("2400.0", "2400"),
        ("2400", "2400"),
        ("0.00", "0"),
        ("-0.10", "-0.1"),
    ],
)
def test_an_energy_in_json_has_no_idle_zeros(
    metered: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {"energy_wh": Decimal(metered), "wh": Decimal(metered), "net": Decimal("1.10")}

    print_json([content])

    assert json.loads(capsys.readouterr().out) == [{"energy_wh": text, "wh": text, "net": "1.10"}]
