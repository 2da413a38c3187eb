"""`wattledger apply`, of more than anybody reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.cli import run
from deploy.commands import declaring
from deploy.settings import NAMES

TOKENS, SHOWN = 40, 10


def test_of_many_changes_some_are_shown_and_json_has_all(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(declaring, "SHOWN_MAX", SHOWN)
    file = tmp_path / "tokens.yaml"
    lines = "".join(f"  TOKEN{number:03}: {{}}\n" for number in range(TOKENS))
    file.write_text(f"tokens:\n{lines}", "utf-8")

    assert run(["apply", str(file), "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert run(["apply", str(file)]) == 0
    out = capsys.readouterr().out

    assert len(told["changes"]) == TOKENS
    assert out.count("TOKEN") + out.count("token0") >= SHOWN
    assert f"and {TOKENS - SHOWN} more: --json tells all of them" in out
    assert f"{TOKENS} declared" in out
    assert len(out.splitlines()) < SHOWN + 10
