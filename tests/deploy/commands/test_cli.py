"""The command line: every command explains itself, and a person's mistake is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli import MISUSED, WRONG, run
from deploy.commands.catalogue import COMMANDS, GROUPS
from deploy.settings import NAMES

WORDS = [command.words for command in COMMANDS]


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)


@pytest.mark.parametrize("words", WORDS)
def test_every_command_has_help_with_examples(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words.split(), "--help"]) == 0

    shown = capsys.readouterr().out
    assert f"Usage: wattledger {words}" in shown
    assert "Examples:" in shown


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_lists_its_commands(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*group.split(), "--help"]) == 0

    shown = capsys.readouterr().out
    assert f"Usage: wattledger {group} COMMAND" in shown
    for words in WORDS:
        first, _, name = words.rpartition(" ")
        assert first != group or f"│ {name} " in shown


def test_the_commands_are_those_that_people_were_promised() -> None:
    promised = {
        "up",
        "apply",
        "tariff publish",
        "sessions list",
        "sessions held",
        "sessions release",
        "sessions write-off",
        "invoices",
        "invoice show",
        "explain",
        "balance",
        "replay",
        "log show",
        "log export",
        "station password",
        "demo",
    }

    assert promised <= set(WORDS)


def test_an_unknown_command_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["aply"]) == MISUSED

    assert 'Did you mean "apply"?' in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("prepaid charge ada % --currency EUR --reference R-1", id="a top-up"),
        pytest.param("payments refund HC-2026-000001 --amount %", id="a refund"),
        pytest.param("payouts match 1 --account fees:x --amount %", id="a part of a movement"),
        pytest.param("station simulate CS-001 --password secret --kwh %", id="a car's energy"),
        pytest.param("sessions attest S --reason seen --register-kwh %", id="a register"),
    ],
)
def test_an_amount_is_digits_and_a_point(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    for amount in (
        "1,5",
        "1.000,50",
        "NaN",
        "sNaN",
        "Infinity",
        "1e3",
        "1e999999999",
        "5_0",
        "\u0665",
    ):
        assert run([each.replace("%", amount) for each in words.split()]) == MISUSED

        assert "is no plain number" in " ".join(capsys.readouterr().err.split("│")).replace(
            "\n", " "
        ), amount


def test_a_number_that_no_table_holds_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["payouts", "match", str(2**63), "HC-2026-000001"]) == MISUSED

    assert "Must be <=" in capsys.readouterr().err


def test_a_file_may_be_called_by_bytes_that_are_no_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["apply", "no\udcffsuch.yaml"]) == WRONG

    assert "cannot read no\\udcffsuch.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["invoices"], "there is no data in", id="nothing was ever kept here"),
        pytest.param(["apply"], "needs at least one file", id="no file was named"),
        pytest.param(
            ["apply", "missing.yaml"],
            "cannot read missing.yaml: No such file or directory\n",
            id="a file is missing",
        ),
        pytest.param(
            ["up", "--config", "no.toml"],
            "cannot read the settings file no.toml: No such file or directory\n",
            id="no config",
        ),
        pytest.param(
            ["station", "simulate", "CS-001", "--password", "x", "--url", "http://x"],
            "'http://x' is no address for stations",
            id="no socket's address",
        ),
        pytest.param(
            ["station", "simulate", "CS-001", "--password", "x", "--url", "ws://x:99999"],
            "'ws://x:99999' is no address for stations",
            id="no port",
        ),
        pytest.param(["replay"], "say --check", id="replay without --check"),
        pytest.param(["log", "show"], "say which", id="no place in the log"),
        *(
            pytest.param([*words.split(), "--reason", reason], "say why", id=words)
            for words, reason in (
                ("visits release 1", ""),
                ("cdr accept C-812", " "),
                ("cdr dispute C-812", "\t"),
            )
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_1(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == WRONG

    shown = capsys.readouterr()
    assert sentence in shown.err
    assert shown.out == ""


def test_an_unknown_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATTLEDGER_PARTITION", "4")

    assert run(["invoices"]) == WRONG

    assert "WATTLEDGER_PARTITION (did you mean WATTLEDGER_PARTITIONS?)" in capsys.readouterr().err
