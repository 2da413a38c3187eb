"""Reading `a[b][c]=1&d[]=2`, which is how Stripe's requests are written, and numbers in it."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, Final
from urllib.parse import parse_qsl

from deploy.demo.provider.refusals import Json, invalid, missing

_KEY: Final = re.compile(r"([^\[\]]+)|\[([^\[\]]*)\]")
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}\Z")
_DEPTH_MAX: Final = 6


def read_form(text: str) -> Json:
    """Return the fields of *text*: texts, dictionaries and lists of them.

    Raises:
        ProviderRefusalError: If one name is two things.
    """
    form: Json = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        steps = [plain or bracketed for plain, bracketed in _KEY.findall(key)]
        if not steps or len(steps) > _DEPTH_MAX:
            raise invalid(f"Invalid parameter name: {key}")
        _put(form, steps, value, key)
    return {name: _listed(value) for name, value in form.items()}


def _put(form: Json, steps: list[str], value: str, key: str) -> None:
    for step, following in pairwise(steps):
        form = form.setdefault(step, {})
        if not isinstance(form, dict):
            raise invalid(f"Invalid parameter name: {key}")
        if following == "":
            steps = [*steps[:-1], str(len(form))]
    form[steps[-1]] = value


def _listed(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(each) for name, each in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def integer(form: Json, name: str) -> int | None:
    """Return the whole number *name* of *form*; None where it is not there.

    Raises:
        ProviderRefusalError: If it is none.
    """
    if name not in form:
        return None
    said = form[name]
    if not isinstance(said, str) or not _INTEGER.match(said):
        raise invalid(f"Invalid integer: {said}", code="parameter_invalid_integer", param=name)
    return int(said)


def needed_integer(form: Json, name: str) -> int:
    """Return the whole number *name* of *form*, which must be there."""
    found = integer(form, name)
    if found is None:
        raise missing(name)
    return found


def needed(form: Json, name: str) -> str:
    """Return the text *name* of *form*, which must be there."""
    found = form.get(name)
    if not isinstance(found, str) or not found:
        raise missing(name)
    return found


def is_true(form: Json, name: str) -> bool:
    """Whether *name* is said to be so."""
    return form.get(name) in {"true", "True", "1"}
