"""Priced cases as folders: a tariff, a session, and the explanation that a person checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tariffs.explain import explain
from tariffs.files.session_file import read_session_file
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.policy import DEFAULT, policy_named
from tests.tree import CASES

FOLDERS = sorted(path for path in CASES.iterdir() if path.is_dir())


@pytest.mark.parametrize("case", FOLDERS, ids=lambda path: path.name)
def test_case(case: Path) -> None:
    tariff, tariff_problems = read_tariff_file(
        (case / "tariff.yaml").read_text("utf-8"), str(case / "tariff.yaml")
    )
    usage, usage_problems = read_session_file((case / "session.yaml").read_text("utf-8"), "session")
    assert tariff is not None, [str(problem) for problem in tariff_problems]
    assert usage is not None, [str(problem) for problem in usage_problems]
    named = case / "policy.txt"
    policy = policy_named(named.read_text("utf-8").strip()) if named.exists() else DEFAULT

    priced = price_session(usage, compile_tariff(tariff), policy=policy)

    assert explain(priced) == (case / "expected.txt").read_text("utf-8")


def test_there_are_enough_cases() -> None:
    assert len(FOLDERS) >= 80
