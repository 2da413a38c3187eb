"""The demo: what the README prints is what comes out, to the digit, here and under load."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deploy.demo.play import UsedFolderError, demo_settings
from projections.documents.electronic.official.validator import Validator
from tests.deploy.running_wattledger import PROGRAM
from tests.tree import ROOT

README = (ROOT / "README.md").read_text("utf-8")
KEYS = {
    "frames": {"sent", "answered", "logged"},
    "sessions": set(),
    "flags": set(),
    "invoices": {"count", "total_by_currency"},
    "energy_balance": {
        "metered_wh",
        "billed_wh",
        "free_wh",
        "held_wh",
        "unattributed_wh",
        "difference_wh",
    },
    "corrections": {"count"},
    "credit_notes": {"count"},
    "trial_balance": {"difference_minor"},
    "replay": {"compared", "differences"},
    "roaming": {
        "cdrs_sent",
        "cdrs_accepted",
        "cdrs_noted",
        "cdrs_credited",
        "settlement_difference_minor",
        "energy_difference_wh",
    },
    "payments": {
        "collected",
        "declined",
        "refunded",
        "disputed",
        "payout_difference_minor",
        "unmatched",
    },
}
SESSIONS_MAX, DOCUMENTS_MAX = 800, 250
SMALL = ("--stations", "9", "--days", "2")
# By turns all of a core and none of it: the demo is held up in all that it does, and gets on.
BUSY = """
import time
while True:
    end = time.monotonic() + 0.3
    while time.monotonic() < end: pass
    time.sleep(0.3)
"""


class Demo(NamedTuple):
    """A demo that reconciled: what it printed, and its figures."""

    output: str
    figures: dict[str, Any]

    def telling(self) -> tuple[str, dict[str, Any]]:
        """Return everything but the real seconds and the folder."""
        data = self.figures["data"]
        output = self.output.replace(data, "DATA")
        apart = {"data", "real_seconds"}
        figures = {name: value for name, value in self.figures.items() if name not in apart}
        figures = json.loads(json.dumps(figures).replace(data, "DATA"))
        return without_seconds(output), figures


def without_seconds(text: str) -> str:
    return re.sub(r"that took [\d.]+ s", "that took SECONDS s", text)


def run_demo(folder: Path, *arguments: str, before: tuple[str, ...] = ()) -> Demo:
    figures = folder / "figures.json"
    done = subprocess.run(
        [*before, *PROGRAM, "demo", *arguments, "--json", figures, "--data", folder / "data"],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if "WATTLEDGER" not in name},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Demo(done.stdout, json.loads(figures.read_text()))


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core busy half of the time, with more right to it than whoever is nice."""
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.timeout(900)
def test_the_month_of_the_readme_comes_out_to_the_digit(demo_played: Path) -> None:
    output = (demo_played / "output.txt").read_text("utf-8")
    demo = Demo(output, json.loads((demo_played / "figures.json").read_text("utf-8")))

    [shown] = re.findall(r"^```\n(.*reconciles\.)\n^```$", README, re.MULTILINE | re.DOTALL)
    shown = shown.rpartition("```\n")[2]
    figures = demo.figures
    assert without_seconds(shown) in without_seconds(demo.output)
    assert f"charge {figures['visits']} cars in March" in README
    assert {name: keys - set(figures[name]) for name, keys in KEYS.items()} == {
        name: set() for name in KEYS
    }
    assert figures["problems"] == []
    assert figures["visits"] <= SESSIONS_MAX
    assert figures["invoices"]["count"] <= DOCUMENTS_MAX
    assert "  Why this price" in demo.output
    assert_the_partner_took_all(figures["roaming"], Path(figures["data"]))
    assert_all_was_paid(figures["payments"])
    assert_documents_are_there(figures["documents"])


def assert_all_was_paid(payments: dict[str, Any]) -> None:
    """By card, debit and transfer, with a no, a refund and a dispute; nothing is left anywhere."""
    assert payments["collected"] > payments["declined"] > 0
    assert (payments["refunded"], payments["disputed"], payments["payouts"]) == (1, 1, 1)
    assert (payments["payout_difference_minor"], payments["unmatched"]) == (0, 0)
    assert payments["open_invoices"] == 0


def assert_the_partner_took_all(roaming: dict[str, Any], data: Path) -> None:
    """Seven cars, one of them credited and replaced, and the same list on both sides."""
    assert (roaming["sessions"], roaming["cdrs_sent"], roaming["cdrs_unsent"]) == (7, 9, 0)
    assert (roaming["cdrs_accepted"], roaming["cdrs_noted"], roaming["cdrs_credited"]) == (9, 0, 1)
    assert (roaming["settlement_difference_minor"], roaming["energy_difference_wh"]) == (0, 0)
    lists = []
    for party in ("DE-HBC", "FR-MRL"):
        with (data / "roaming" / f"{party}.csv").open(encoding="utf-8", newline="") as file:
            lists.append(list(csv.DictReader(file)))
    told = ("cdr_id", "kind", "credits", "energy_kwh", "net", "ended_at")
    ours, theirs = ([[line[name] for name in told] for line in lines] for lines in lists)
    assert [[*each[:3], *map(Decimal, each[3:5]), each[5]] for each in ours] == [
        [*each[:3], *map(Decimal, each[3:5]), each[5]] for each in theirs
    ]
    assert sum(Decimal(line["net"]) for line in lists[0]) == Decimal(str(roaming["net"]))


def assert_documents_are_there(documents: list[dict[str, Any]]) -> None:
    """Invoices in five languages, a credit note and a receipt, as files that say what they are."""
    kinds = Counter(each["kind"] for each in documents)
    assert kinds == {"invoice": 5, "credit_note": 1, "receipt": 1}
    invoices = [each["language"] for each in documents if each["kind"] == "invoice"]
    assert invoices == ["de", "en", "fr", "nl", "sv"]
    validator = Validator()
    for each in documents:
        pdf, xml = Path(each["pdf"]), Path(each["xml"])
        assert pdf.is_absolute()
        assert sha256(pdf.read_bytes()).hexdigest() == each["sha256"]
        assert each["number"].encode() in xml.read_bytes()
        assert validator.problems(xml.read_bytes()) == ()


@pytest.mark.timeout(900)
def test_a_loaded_machine_prints_the_same(tmp_path: Path) -> None:
    for name in ("idle", "loaded"):
        (tmp_path / name).mkdir()

    idle = run_demo(tmp_path / "idle", *SMALL)
    with busy_cores():
        loaded = run_demo(tmp_path / "loaded", *SMALL, before=("nice", "-n", "19"))

    assert loaded.telling() == idle.telling()
    assert loaded.figures["sessions"].keys() == {"held", "rated"}


def test_the_demo_does_not_touch_a_folder_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "wattledger.toml").write_text("")

    with pytest.raises(UsedFolderError):
        demo_settings(tmp_path)
