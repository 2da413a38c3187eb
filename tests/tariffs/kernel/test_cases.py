"""Priced cases as folders: a tariff, a session, and the explanation that a person checked."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tariffs.explain import explain
from tariffs.files.session_file import read_session_file
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.policy import DEFAULT, PricingPolicy, policy_named
from tariffs.model.tariff import Tariff
from tariffs.model.usage import SessionUsage
from tariffs.offsets import offsets_over
from tests.tree import CASES

FOLDERS = sorted(path for path in CASES.iterdir() if path.is_dir())


@pytest.mark.parametrize("case", FOLDERS, ids=lambda path: path.name)
def test_case(case: Path) -> None:
    tariff, usage, policy = read(case)

    priced = price_session(usage, compile_tariff(tariff), policy=policy)

    assert explain(priced) == (case / "expected.txt").read_text("utf-8")


@pytest.mark.parametrize("case", FOLDERS, ids=lambda path: path.name)
def test_recorded_offsets_price_a_case_without_tzdata(case: Path) -> None:
    tariff, usage, policy = read(case)
    offsets = offsets_over(usage.time_zone, usage.starts_at, usage.ends_at)
    recorded = msgspec.structs.replace(usage, offsets=offsets, time_zone="No/Zone")

    priced = price_session(recorded, compile_tariff(tariff), policy=policy)

    said = explain(priced).replace("No/Zone", usage.time_zone)
    assert said == (case / "expected.txt").read_text("utf-8")


def read(case: Path) -> tuple[Tariff, SessionUsage, PricingPolicy]:
    tariff, tariff_problems = read_tariff_file(
        (case / "tariff.yaml").read_text("utf-8"), str(case / "tariff.yaml")
    )
    usage, usage_problems = read_session_file((case / "session.yaml").read_text("utf-8"), "session")
    assert tariff is not None, [str(problem) for problem in tariff_problems]
    assert usage is not None, [str(problem) for problem in usage_problems]
    named = case / "policy.txt"
    policy = policy_named(named.read_text("utf-8").strip()) if named.exists() else DEFAULT
    return tariff, usage, policy


def test_there_are_enough_cases() -> None:
    assert len(FOLDERS) >= 80
