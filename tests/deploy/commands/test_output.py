"""What people read: times are UTC whatever zone they came in."""

from __future__ import annotations

import json
import logging
import re
import stat
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

import pytest

import deploy
from deploy.output import complain, print_json, print_rows, say, shown
from deploy.running import parts
from deploy.running.parts import write_log
from deploy.settings import Settings

HOSTILE = "CS\x1b[2J\n\u202e1"
HARMLESS = r"CS\x1b[2J\n\u202e1"
SUBJECT = f"p-{7:032x}"


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
    print_json({"name": f"{SUBJECT} {HOSTILE}\x9b"}, names={SUBJECT: 'C\x9b"S'})

    out = capsys.readouterr().out
    assert json.loads(out) == {"name": f'C\x9b"S {HOSTILE}\x9b'}
    assert re.fullmatch(r"[\x20-\x7e\n]*", out)


def test_of_many_names_those_are_looked_up_that_stand_in_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class NamesLookedUp(dict[str, str]):
        """Names, and how often one of them was asked for."""

        times = 0

        def get(self, key: str, default: str = "") -> str:  # type: ignore[override]
            """Return a name."""
            self.times += 1
            return super().get(key, default)

        def items(self) -> NoReturn:
            """Raise: a text is not gone through for each of them."""
            raise AssertionError

    names = NamesLookedUp({f"p-{number:032x}": f"name {number}" for number in range(1_000)})

    print_json([*list(names)[:3], "p-0", f"p-{2_000:032x}"], names=names)

    told = json.loads(capsys.readouterr().out)
    assert told == ["name 0", "name 1", "name 2", "p-0", f"p-{2_000:032x}"]
    assert names.times == 4


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


def test_a_full_log_is_put_aside_once_by_whoever_shares_it(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "LOG_BYTES_MAX", 2_000)
    shared = [parts.SharedLog(log) for _ in range(2)]
    for number in range(200):
        record = logging.LogRecord(
            "x", logging.INFO, "", 0, f"line {number:03} {'.' * 20}", (), None
        )
        shared[number % 2].emit(record)
    for each in shared:
        each.close()

    aside = log.with_name(f"{log.name}.1")
    told = [*aside.read_text().splitlines(), *log.read_text().splitlines()]
    assert sorted(each.name for each in log.parent.iterdir()) == [log.name, aside.name]
    assert max(log.stat().st_size, aside.stat().st_size) <= 2_100
    # Nothing between the two is missing, in the order in which it was told.
    first = int(told[0].split()[1])
    assert [int(each.split()[1]) for each in told] == list(range(first, 200))
    assert first > 50
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_log_that_can_be_written_nowhere_ends_nobody(log: Path) -> None:
    folder = log.parent
    gone = folder.rename(folder.with_name("gone"))

    logging.getLogger("wattledger").info("told to nobody")
    gone.rename(folder)
    logging.getLogger("wattledger").info("told again")

    assert log.read_text("utf-8").splitlines()[-1].endswith("told again")
