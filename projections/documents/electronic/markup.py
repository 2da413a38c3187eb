"""XML as text: the same bytes for the same content, and no element without any."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from html import escape

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def leaf(name: str, content: object, **attributes: str) -> str:
    """Return an element with a text; nothing of None and of an empty one."""
    if content is None or content == "":
        return ""
    shown = f"{content:f}" if isinstance(content, Decimal) else str(content)
    return f"<{name}{_attributes(attributes)}>{escape(shown, quote=False)}</{name}>"


def node(name: str, *children: str, **attributes: str) -> str:
    """Return an element around *children*, which are XML; nothing where all of them are empty."""
    content = "".join(children)
    return f"<{name}{_attributes(attributes)}>{content}</{name}>" if content else ""


def compact_day(day: date) -> str:
    """Return *day* as UN/CEFACT's format 102 writes it ("20261127")."""
    return f"{day:%Y%m%d}"


def _attributes(attributes: dict[str, str]) -> str:
    return "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
