"""`wattledger person`: who a token or a customer is, and erasing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.output import print_json, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from ledger.desk.forgetting.erasure import Person

Kind = Literal["token", "customer", "driver", "payer"]


def show(name: str, /, *, kind: Kind | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show what is kept of a token, customer, driver or payer, and what refers to it.

    Args:
        name: The token, the customer's key, the driver's name, or a payer's IBAN or name.
        kind: Which, where several have this name.
        folder: Where.
    """
    from ledger.desk.forgetting.erasure import find_person

    with opened(folder.settings()) as connection:
        person = find_person(connection, name, kind)
    if folder.json:
        print_json(person)
    else:
        _print(person)
    return 0


def erase(
    name: str,
    /,
    *,
    kind: Kind | None = None,
    yes: Annotated[bool, Parameter(negative=())] = False,
    everywhere: Annotated[bool, Parameter(negative=())] = False,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Erase a token's bearer, a driver, or a customer with all tokens, for good.

    Deletes the rows that say who it is. Log, books and invoices stay as they are, byte for byte,
    and name a subject id that nobody can trace. Nothing brings it back: export first what the law
    wants kept with a name, such as invoices. The same token shown again is somebody new.

    Args:
        name: The token, the customer's key, the driver's name, or a payer's IBAN or name.
        kind: Which, where several have this name.
        yes: Do it. Without this, only say what would be erased, and exit 1.
        everywhere: Take along what any station said that no rule understands, for it may name
            somebody; else only where the person charged.
        folder: Where.
    """
    from ledger.desk.forgetting.erasure import erase_person, find_person

    with opened(folder.settings()) as connection:
        person = find_person(connection, name, kind)
        if yes:
            erase_person(connection, person, is_everywhere=everywhere)
    if folder.json:
        print_json(msgspec.to_builtins(person) | {"is_erased": yes})
    else:
        _print(person)
        say(
            "Erased. A running server forgets it within half a minute; copies of the schema "
            "persons keep it as long as you keep them."
            if yes
            else "Nothing was erased. Say --yes to erase it for good."
        )
    return 0 if yes else 1


def _print(person: Person) -> None:
    say(f"{person.kind} {person.name}, in log and books {person.subject}")
    if person.details is not None:
        lines = [person.details.name, *person.details.address.lines(), person.details.email]
        say(f"  {', '.join(line for line in lines if line)}")
    if person.kind == "customer":
        say(f"  tokens: {', '.join(person.tokens) or 'none'}")
        say(f"  drivers: {', '.join(person.drivers) or 'none'}")
    say(f"  {person.sessions} sessions, {person.invoices} invoices")
    say(f"  stations whose unread texts go with it: {', '.join(person.stations) or 'none'}")
