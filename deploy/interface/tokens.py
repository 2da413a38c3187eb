"""Drivers' tokens over HTTP: who may charge."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter
from msgspec import UNSET, UnsetType

from deploy.interface.books import Newest
from deploy.interface.declaring import DeclaringDesk
from ledger.desk.tokens import TokenChanges, TokenStanding, let_token

UID_MAX = 255
Declaring = NamedDependency[DeclaringDesk]
TokenUid = Annotated[
    str, PathParameter(description="The token, as stations write it", max_length=UID_MAX)
]


class TokenChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a token may charge, and in which group; left out, that stays; null: in none."""

    status: TokenStanding
    group: Annotated[str, msgspec.Meta(min_length=1, max_length=UID_MAX)] | UnsetType | None = UNSET


class TokenAsLet(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it stands now; `group` is the id of its group, as stations are told it."""

    uid: str
    status: TokenStanding
    group: str | None


class TokensController(Controller):
    """Drivers' tokens."""

    tags = ("tokens",)

    @put("/tokens/{uid:str}", opt={"scope": "tokens"})
    async def let(
        self,
        uid: TokenUid,
        data: JSONBody[TokenChange],
        request: Request[Any, Any, Any],
        declaring: Declaring,
        newest: Newest,
    ) -> TokenAsLet:
        """Let a token charge or not; every process answers stations so by then.

        One that nobody knows gets known, and so does a group: as a token that may not charge.
        """
        by = request.user.name
        wanted = TokenChanges(data.status, data.group)
        group = await declaring.declare(
            lambda connection, log, at: let_token(
                connection, uid, wanted, log=log, by=by, at=at, known=newest.of(connection)
            )
        )
        return TokenAsLet(uid=uid, status=data.status, group=group)
