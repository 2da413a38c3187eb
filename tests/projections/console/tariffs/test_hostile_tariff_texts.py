"""What hostile texts of tariffs come to: told what is wrong, and nobody else waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ledger.users.roles import Role
from projections.console.tariffs import editing, looking
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console
from tests.projections.console.tariffs.sent_forms import post
from tests.tree import EXAMPLES

pytestmark = pytest.mark.timeout(600)
FILE = (EXAMPLES / "tariffs" / "time-of-use.yaml").read_text("utf-8")


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


NESTED = "[" * 100_000
BOMB = "a: &a [x,x]\nb: &b [*a,*a]\ntariff: *b\n"
MANY = "tariff: t\ncurrency: EUR\nelements:\n" + "  - energy: 0.40 per kWh\n" * 10_000
BIG = "tariff: t # " + "x" * (1 << 20) + "\ncurrency: EUR\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NESTED, "nested more than 32 levels deep"),
        (BOMB, "aliases (*name) are not allowed"),
        (MANY, "&#39;elements&#39; has 10,000 entries; a tariff has at most 1,000"),
        (BIG, "the tariff needs &#39;elements&#39;"),
        ("tariff: <script>alert(1)</script>\ncurrency: E\n", "draft:2:11"),
        ("tariff: a\0b\n", "not YAML"),
        ("", "the file is empty"),
        (FILE.replace("time-of-use", "t" * 300, 1), "an id has at most 255"),
    ],
    ids=["nested", "aliases", "many", "big", "script", "null", "empty", "long id"],
)
def test_a_hostile_text_is_told_what_is_wrong_and_where(
    console: ServedConsole, text: str, said: str
) -> None:
    with console.client("petra", Role.PRICING) as client:
        answer = post(client, "/check", text=text)

    assert answer.status_code == 200
    assert said in answer.text
    assert "<script>alert" not in answer.text


def test_a_text_that_takes_for_ever_keeps_nobody_else_waiting(
    console: ServedConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    looker = looking.Looker(seconds_max=3)
    monkeypatch.setattr(editing, "DRAFTS", looker)
    multiplied = "tariff: t\ncurrency: EUR\nelements:\n" + "".join(
        f"  - energy: 0.{i % 90 + 10} per kWh\n    restrictions: {{min_kwh: {i + 1}, "
        f"start_time: {i // 60 % 24:02d}:{i % 60:02d}, day_of_week: [MONDAY]}}\n"
        for i in range(900)
    )
    answers = list[httpx.Response]()
    with console.client("petra", Role.PRICING) as client:
        many = [
            threading.Thread(target=lambda: answers.append(post(client, "/check", text=multiplied)))
            for _ in range(looking.WAITING_MAX + 4)
        ]
        for each in many:
            each.start()
        # Pages of published versions have a process of their own.
        page = client.get("/console/tariffs/time-of-use")
        alive = any(each.is_alive() for each in many)
        for each in many:
            each.join()
        after = post(client, "/check", text=FILE)
    looker.close()

    assert page.status_code == 200
    assert "0.59" in page.text
    assert alive
    assert len(answers) == len(many)
    assert all("takes too long to look at" in each.text for each in answers)
    assert after.text.count(">passes<") == 2
