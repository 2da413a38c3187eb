"""Where the tests find what stands beside them: the checkout, and the shared vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
CASES: Final = ROOT / "tests" / "cases"
DOCS: Final = ROOT / "docs"
EXAMPLES: Final = ROOT / "examples"
VECTORS: Final = ROOT.parent / "shared" / "vectors"
"""Published examples and captured frames; a test says so where they are absent."""
