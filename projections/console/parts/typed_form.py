"""What somebody typed into a form, once its key was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from litestar import Request
from litestar.di import NamedDependency


class TypedForm(NamedTuple):
    """Fields with all their values; files are left out."""

    fields: Mapping[str, Sequence[str]]

    def of(self, name: str) -> str:
        """Return what was typed there, without blanks around it; "" where nothing was."""
        return self.fields.get(name, ("",))[-1].strip()

    def all(self, name: str) -> Sequence[str]:
        """Return each value of a field that may be chosen several times."""
        return self.fields.get(name, ())


ThisForm = NamedDependency[TypedForm]
"""What a route asks for as `form`."""


async def form_of(request: Request[Any, Any, Any]) -> TypedForm:
    """Return the form of a request."""
    found: dict[str, list[str]] = {}
    for name, value in (await request.form()).multi_items():
        if isinstance(value, str):
            found.setdefault(name, []).append(value)
    return TypedForm(found)
