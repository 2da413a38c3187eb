"""Card numbers that are planted where others write, and looked for in all that is kept."""

from __future__ import annotations

import re
from itertools import cycle
from typing import Any, Final

from psycopg import Connection

_WRITTEN: Final = ("{}{}{}{}", "{} {} {} {}", "{}-{}-{}-{}")
_BETWEEN: Final = r"[\s\W_]{0,3}"
_TABLES: Final = """
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'
ORDER BY 1, 2
"""


class CardSeeds:
    """Numbers with the right check digit, each planted in one place, so that it tells the place."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {"4242424242424242": "*", "4000000000000002": "*"}
        self._ways = cycle(_WRITTEN)

    def plant(self, place: str) -> str:
        """Return a number of its own for *place*, written as people write them."""
        digits = f"4000{len(self._places):011}"
        doubled = sum(sum(divmod(2 * int(each), 10)) for each in digits[::-2])
        check = -(doubled + sum(map(int, digits[-2::-2]))) % 10
        number = f"{digits}{check}"
        self._places[number] = place
        return next(self._ways).format(*(number[at : at + 4] for at in range(0, 16, 4)))

    @property
    def planted(self) -> int:
        return len(self._places)

    def found_in(self, text: str) -> set[str]:
        """Return the places whose numbers stand in *text*, whatever stands between digits."""
        return {
            place
            for number, place in self._places.items()
            if re.search(_BETWEEN.join(number), text)
        }

    def kept(self, connection: Connection[Any]) -> set[str]:
        """Return the places whose numbers stand in any column of any table."""
        found: set[str] = set()
        for schema, table in connection.execute(_TABLES).fetchall():
            for row in connection.execute(f'SELECT * FROM "{schema}"."{table}"'):
                for value in row:
                    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                    if places := self.found_in(text):
                        found |= {f"{each} in {schema}.{table}" for each in places}
        return found
