"""Where the example files are, with which the demo starts."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent


def examples_folder() -> Path:
    """Return the folder of examples: the wheel has it within this package, a checkout beside it."""
    packed = HERE / "examples"
    return packed if packed.is_dir() else HERE.parent / "examples"
