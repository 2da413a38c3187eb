"""The options that commands share: which data folder they work on, and how much they list."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from deploy.settings import Settings, load_settings

SHARED = Group("Where and how", sort_key=9)
LIMIT_MAX: Final = 1_000_000
Limit: TypeAlias = Annotated[int, Parameter(validator=Number(gte=1, lte=LIMIT_MAX))]
"""At most so many rows of a list."""


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
