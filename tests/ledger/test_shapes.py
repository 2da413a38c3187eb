"""Many threads that read the first value of a class at once do not end the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Classes within classes, which take a while to build, and threads that take turns at every step.
READS = """
import sys, threading, types
import msgspec
from ledger.shapes import build_shapes

sys.setswitchinterval(1e-6)
text = ["from __future__ import annotations", "import msgspec", "from typing import NamedTuple"]
for number in range(40):
    kind = "NamedTuple" if number % 5 == 4 else "msgspec.Struct"
    inner = f"S{number - 1}" if number else "int"
    text += [f"class S{number}({kind}):", "  a: int", f"  b: {inner} | None = None",
             f"  c: list[{inner}] = []"]
made = sys.modules["made"] = types.ModuleType("made")
exec("\\n".join(text), made.__dict__)
value = {"a": 1, "b": {"a": 2, "b": {"a": 3}}, "c": [{"a": 4}]}
if BUILT:
    build_shapes()
wall = threading.Barrier(16)

def read():
    wall.wait()
    msgspec.convert(value, made.S38)

threads = [threading.Thread(target=read) for _ in range(16)]
for each in threads: each.start()
for each in threads: each.join()
"""


def _died(*, built: bool, times: int) -> int:
    program = f"BUILT = {built}\n{READS}"
    runs = [
        subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
        for _ in range(times)
    ]
    return sum(each.returncode != 0 for each in runs)


def test_threads_read_what_was_built_before() -> None:
    assert _died(built=True, times=10) == 0


@pytest.mark.slow
def test_the_library_still_has_its_fault() -> None:
    """Goes red once it is mended: then `ledger/shapes.py` can go."""
    assert _died(built=False, times=40) > 0
