"""Each guarantee's check can fail: it finds what the smallest break of that guarantee does."""

from __future__ import annotations

import pytest

from tests.faults.over_kafka.controls import CONTROLS, Control, run_control

# A station's connection that a kill cut off while it was made is closed by nobody.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.slow
@pytest.mark.usefixtures("own_brokers")
@pytest.mark.timeout(400)
@pytest.mark.parametrize("control", CONTROLS, ids=lambda each: each.guarantee)
def test_a_break_of_what_keeps_a_guarantee_is_found(control: Control) -> None:
    assert run_control(control).found > 0
