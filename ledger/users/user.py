"""Somebody who works here, and who has come in."""

from __future__ import annotations

import msgspec

from ledger.users.roles import Grant, Permission, Reach, reach_of


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account. `name` stands beside what is decided; it is never given to another person.

    `language`: a tag, "" as the browser asks; `theme`: "dark", "light", or "" as the system has it.
    """

    name: str
    full_name: str
    grants: tuple[Grant, ...] = ()
    language: str = ""
    theme: str = ""

    def reach(self, permission: Permission) -> Reach:
        """Return where this person has a permission."""
        return reach_of(self.grants, permission)

    def may(self, permission: Permission, legal_entity: str = "", site: str = "") -> bool:
        """Say whether this person may do something; with no place named: anywhere at all."""
        reach = self.reach(permission)
        if not legal_entity and not site:
            return bool(reach)
        return reach.covers(legal_entity, site)
