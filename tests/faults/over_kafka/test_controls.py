"""What the negative controls break can still be broken: tables and names that they tell."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ledger.database import connect
from tests.faults.over_kafka.controls import CONTROLS, Control


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.guarantee)
def test_a_control_breaks_the_tables_that_there_are(control: Control, database: str) -> None:
    with connect(database) as connection:
        for statement in control.broken.statements:
            connection.execute(statement.encode())


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.guarantee)
def test_a_control_breaks_programs_that_there_are(control: Control) -> None:
    for program in control.broken.programs.values():
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
