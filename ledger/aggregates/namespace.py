"""Under which ids of aggregates are made of what they are about."""

from __future__ import annotations

from typing import Final
from uuid import UUID

NAMESPACE: Final = UUID("6e7ab2d4-54a0-5c43-9a53-0d8f5b6a3f11")
