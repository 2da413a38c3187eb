"""`wattledger price`, as a person or a script calls it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import run
from tests.tree import CASES, VECTORS

WORKED = sorted((VECTORS / "ocpi-worked-examples").glob("*.json"))
CASE = CASES / "one-price-with-tax"

TARIFF: dict[str, Any] = {
    "id": "t",
    "currency": "EUR",
    "elements": [
        {
            "price_components": [{"type": "ENERGY", "price": 0.25, "vat": 10, "step_size": 1}],
            "restrictions": {"start_time": "08:00", "end_time": "20:00"},
        }
    ],
}
CDR: dict[str, Any] = {
    "id": "c",
    "currency": "EUR",
    "start_date_time": "2026-03-02T10:00:00Z",
    "end_date_time": "2026-03-02T11:00:00Z",
    "charging_periods": [
        {
            "start_date_time": "2026-03-02T10:00:00Z",
            "dimensions": [{"type": "ENERGY", "volume": 10}],
        }
    ],
    "total_cost": {"excl_vat": 2.50, "incl_vat": 2.70},
}


def written(folder: Path, name: str, value: object) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value)
    path.write_text(text, "utf-8")
    return str(path)


@pytest.fixture
def tariff(tmp_path: Path) -> str:
    return written(tmp_path, "tariff.json", TARIFF)


def priced(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[Any]:
    assert run(["price", *arguments, "--json"]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.skipif(not WORKED, reason="the worked examples of ../shared are not on this machine")
@pytest.mark.parametrize("path", WORKED, ids=lambda path: path.stem)
def test_a_worked_example_has_its_total_and_a_reason_for_each_line(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = json.loads(path.read_bytes(), parse_float=Decimal)
    given = ["--tariff", written_exact(tmp_path, "t.json", example["tariff"])]
    checked = ["--cdr", written_exact(tmp_path, "c.json", example["cdr"])]

    [report] = priced(capsys, *given, *checked, "--time-zone", example["time_zone"])

    names = {"excl_vat": "before_taxes", "incl_vat": "after_taxes"}
    for stated, name in names.items():
        expected = example["expected"][stated]
        if expected is not None:
            digits = max(2, len(str(expected).partition(".")[2]))
            total = Decimal(report["total_unrounded"][name])
            assert abs(total - expected) <= Decimal("0.5").scaleb(-digits)
    assert report["lines"]
    assert all(line["reason"] for line in report["lines"])


def written_exact(folder: Path, name: str, value: object) -> str:
    encoded = json.dumps(value, default=lambda number: f"<{number}>")
    return written(folder, name, encoded.replace('"<', "").replace('>"', ""))


def test_the_json_has_what_a_script_needs(
    tariff: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [report] = priced(
        capsys, "--tariff", tariff, "--cdr", written(tmp_path, "c.json", CDR), "--time-zone", "UTC"
    )

    assert report["id"] == "c"
    assert report["currency"] == "EUR"
    assert report["total"] == {"before_taxes": "2.50", "after_taxes": "2.75"}
    assert report["total_unrounded"] == {"before_taxes": "2.5", "after_taxes": "2.75"}
    assert report["lines"] == [
        {
            "dimension": "ENERGY",
            "tariff": "t",
            "element": 0,
            "volume": "10",
            "billed_volume": "10",
            "unit_price": "0.25",
            "amount": "2.5",
            "tax": {"percent": "10", "amount": "0.25"},
            "period": {"starts_at": "2026-03-02T10:00:00Z", "ends_at": "2026-03-02T11:00:00Z"},
            "reason": "element 1, the first for energy whose restrictions hold: 08:00 to 20:00",
            "codes": [
                {
                    "code": "priced_when",
                    "parameters": {
                        "dimension": "ENERGY",
                        "element": 0,
                        "when": [
                            {"code": "clock", "parameters": {"start": "08:00", "end": "20:00"}}
                        ],
                    },
                }
            ],
        }
    ]
    assert report["policy"] == {"name": "wattledger", "version": "1"}
    assert [note["code"] for note in report["notes"]] == ["ocpi_version", "ocpi_version"]
    assert report["differences"] == [
        {
            "field": "total_cost.after_taxes",
            "stated": "2.7",
            "ours": "2.75",
            "difference": "-0.05",
            "reason": "no named policy gives what is stated",
            "policies": [],
        }
    ]


def test_the_text_says_the_same_to_people(
    tariff: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["price", "--tariff", tariff, "--cdr", written(tmp_path, "c.json", CDR)]) == 0

    out = capsys.readouterr().out
    assert "total 2.75 EUR" in out
    assert "element 1, the first for energy" in out
    assert "note time_zone_missing at cdr_location.time_zone" in out
    assert "differs total_cost.after_taxes: stated 2.7, ours 2.75 (-0.05)" in out


def test_the_location_s_time_zone_comes_before_the_given_one(
    tariff: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten o'clock UTC is 19:00 in Tokyo, still within 08:00 to 20:00, and 23:00 in Auckland."""
    located = CDR | {"cdr_location": {"time_zone": "Pacific/Auckland"}}
    cdr = written(tmp_path, "c.json", located)

    [report] = priced(capsys, "--tariff", tariff, "--cdr", cdr, "--time-zone", "Asia/Tokyo")

    assert report["total"]["before_taxes"] == "0.00"
    assert report["lines"][0]["reason"].startswith("no element of the tariff prices energy here")


def test_a_cdr_that_carries_its_tariffs_needs_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cdr = written(tmp_path, "c.json", CDR | {"tariffs": [TARIFF]})

    [report] = priced(capsys, "--cdr", cdr)

    assert report["total"]["before_taxes"] == "2.50"


def test_one_bad_cdr_does_not_stop_the_others(
    tariff: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [CDR | {"id": "a"}, CDR | {"id": "b", "charging_periods": [{}]}, CDR | {"id": "d"}]
    text = "\n".join(json.dumps(line) for line in lines) + "\nnot json\n\n"
    cdrs = written(tmp_path, "cdrs.jsonl", text)

    reports = priced(capsys, "--tariff", tariff, "--cdr", cdrs, code=1)

    assert [report["id"] for report in reports] == ["a", "b", "d", None]
    assert reports[1]["error"] == {
        "place": "charging_periods[0].dimensions",
        "message": "is missing",
    }
    assert reports[1]["source"].endswith("cdrs.jsonl:2")
    assert reports[3]["error"]["message"].startswith("not JSON")


@pytest.mark.parametrize("padding", [0, 400_000], ids=["small", "large"])
def test_however_many_cdrs_there_are_each_is_priced_at_its_place(
    padding: int, tariff: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred and fifty are more than are read before the first is priced; so are few large."""
    count = 10 if padding else 150
    broken = {count // 3, count // 3 + 1, count - 1}
    zones = ("UTC", "Pacific/Auckland")
    lines = [
        CDR
        | {"id": f"c{i}", "remark": "x" * padding, "cdr_location": {"time_zone": zones[i % 2]}}
        | ({"currency": "CHF"} if i in broken else {})
        for i in range(count)
    ]
    cdrs = written(tmp_path, "cdrs.jsonl", "\n".join(map(json.dumps, lines)))

    reports = priced(capsys, "--tariff", tariff, "--cdr", cdrs, code=1)

    assert [report["id"] for report in reports] == [f"c{i}" for i in range(count)]
    assert [report["source"] for report in reports] == [f"{cdrs}:{i + 1}" for i in range(count)]
    assert {i for i, report in enumerate(reports) if "error" in report} == broken
    # Ten in the morning is eleven at night in Auckland, where nothing is priced.
    told = [report["total"]["before_taxes"] for report in reports if "error" not in report]
    assert told == [("2.50", "0.00")[i % 2] for i in range(count) if i not in broken]


def test_a_folder_of_lists_responses_and_tariffs_is_priced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, "all/1.json", [CDR | {"id": "1"}, CDR | {"id": "2"}])
    written(tmp_path, "all/2.json", {"data": [CDR | {"id": "3"}], "status_code": 1000})
    written(tmp_path, "all/tariff.json", TARIFF)
    folder = str(tmp_path / "all")

    reports = priced(capsys, "--tariff", folder, "--cdr", folder, "--time-zone", "UTC")

    assert [report["id"] for report in reports] == ["1", "2", "3"]
    assert "response_envelope" in [note["code"] for note in reports[2]["notes"]]


def test_our_own_sessions_are_priced_by_our_own_tariffs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--tariff", str(CASE / "tariff.yaml"), "--cdr", str(CASE / "session.yaml")]

    [report] = priced(capsys, *given)

    assert report["id"] == "session"
    assert report["lines"]


def test_a_bad_tariff_is_an_error_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = TARIFF | {"currency": None}
    given = ["--tariff", written(tmp_path, "t.json", broken)]
    checked = ["--cdr", written(tmp_path, "c.json", CDR)]

    reports = priced(capsys, *given, *checked, code=1)
    [report] = priced(capsys, *given, *checked, "--currency", "EUR", "--time-zone", "UTC")

    assert reports[0]["error"] == {"place": "currency", "message": "is missing"}
    assert reports[1]["error"]["message"] == "no tariff was given for 'c', and it carries none"
    assert "currency_missing" in [note["code"] for note in report["notes"]]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"currency": "CHF"}, "currency"),
        ({"cdr_location": {"time_zone": "Mars/Olympus"}}, "cdr_location.time_zone"),
        ({"end_date_time": None}, "end_date_time"),
    ],
)
def test_a_cdr_that_cannot_be_priced_says_where(
    changes: dict[str, object],
    place: str,
    tariff: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cdr = written(tmp_path, "c.json", CDR | changes)

    [report] = priced(capsys, "--tariff", tariff, "--cdr", cdr, code=1)

    assert report["error"]["place"] == place


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--cdr", "c.json", "--policy", "none"],
        ["--cdr", "c.json", "--time-zone", "Mars/Olympus"],
        ["--cdr", "c.json", "--ocpi", "4.0"],
        ["--cdr", "c.json", "--currency", "XXX"],
        ["--cdr", "c.json", "--unknown"],
    ],
)
def test_a_misuse_ends_with_two(arguments: list[str]) -> None:
    assert run(["price", *arguments]) == 2


def test_a_file_that_is_not_there_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.json"
    [report] = priced(capsys, "--cdr", str(missing), code=1)
    assert run(["price", "--cdr", str(missing)]) == 1

    assert report["error"]["message"] == "cannot be read: No such file or directory"
    assert capsys.readouterr().err == f"{missing}: cannot be read: No such file or directory\n"


def test_an_empty_folder_has_nothing_to_price(tmp_path: Path) -> None:
    assert run(["price", "--cdr", str(tmp_path)]) == 1
