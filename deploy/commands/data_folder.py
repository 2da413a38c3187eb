"""What commands share: which folder they work on, how much they list, how decimals are typed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

from cyclopts import Group, Parameter, Token
from cyclopts.validators import Number

from deploy.settings import Settings, load_settings

SHARED = Group("Where and how", sort_key=9)
LIMIT_MAX: Final = 1_000_000
Limit: TypeAlias = Annotated[int, Parameter(validator=Number(gte=1, lte=LIMIT_MAX))]
"""At most so many rows of a list."""
_PLAIN: Final = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,12})?", re.ASCII)


def _decimal(_type: Any, tokens: Sequence[Token]) -> Decimal:  # noqa: ANN401 - cyclopts' own
    """Return the decimal that was typed.

    Raises:
        ValueError: If it is none; the command line says so.
    """
    text = tokens[0].value
    if not _PLAIN.fullmatch(text):
        message = f'"{text[:60]}" is no plain number: digits, and a point before decimals, as 12.50'
        raise ValueError(message)
    return Decimal(text)


PLAIN: Final = Parameter(converter=_decimal)
"""Of a decimal: digits and a point. What Python reads beside that is no amount."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DataFolder:
    """The data folder and the settings file."""

    data: Annotated[Path | None, Parameter(group=SHARED)] = None
    """Folder with the data (default: the setting `data`)."""

    config: Annotated[Path | None, Parameter(group=SHARED)] = None
    """Settings file (default: wattledger.toml in the data folder)."""

    def settings(self, **given: object) -> Settings:
        """Return the settings that hold here; *given* values win."""
        return load_settings(os.environ, config=self.config, data=self.data, **given)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ReadingFolder(DataFolder):
    """A folder to read from."""

    json: Annotated[bool, Parameter(negative=(), group=SHARED)] = False
    """Print JSON for machines instead of text."""


FOLDER = DataFolder()
READ_FOLDER = ReadingFolder()
