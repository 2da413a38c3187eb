"""With accounts, a command that changes something acts as who ran `wattledger login`."""

from __future__ import annotations

import inspect
import io
import json
import os
import pty
import stat
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from deploy.cli import WRONG, run
from deploy.clock import SystemClock
from deploy.commands.catalogue import COMMANDS
from deploy.commands.command import Command
from deploy.commands.users.needs import NEEDS, READS, RUNS, permission_for
from deploy.commands.users.token_file import keep_token, token_path
from deploy.settings import Settings
from ledger.database import connect
from ledger.users.access_tokens import make_personal_token, make_token
from ledger.users.giving import Giver, block_account
from ledger.users.own_account import choose_password
from ledger.users.proving.second_factor import (
    code_at,
    key_in,
    offer_factor,
    offered_address,
    set_factor,
)
from ledger.users.roles import PERMISSIONS, Permission, Role
from tests.tree import ROOT

PASSWORD = "four words in a row"
APPLY = ("apply", "ada.yaml")
TOP_UP = ("prepaid", "top-up", "ada", "12.50", "--currency", "EUR", "--reference", "a")
Printed = pytest.CaptureFixture[str]


@pytest.fixture
def books(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Where commands find the books, and keep a token."""
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    Path("ada.yaml").write_text("customers:\n  ada: {name: Ada, invoicing: per_session}\n")
    return Settings(data=tmp_path / "data", database_url=database)


@pytest.fixture
def connection(books: Settings) -> Iterator[Connection[Any]]:
    with connect(books.database_url) as opened:
        yield opened


def made(capsys: Printed, name: str, *roles: str) -> str:
    """Make an account at the command line, and return what stands in its link."""
    capsys.readouterr()
    assert run(["user", "add", name, "--full-name", name.title(), "--role", *roles, "--json"]) == 0
    link = str(json.loads(capsys.readouterr().out)["link"])
    return link.rpartition("/")[2]


def signed_in(connection: Connection[Any], books: Settings, name: str) -> str:
    """Let *name* act at the command line."""
    what_for = os.urandom(8).hex()
    token = make_personal_token(connection, name, what_for, SystemClock().now())
    keep_token(books, token)
    return token


def by_of(connection: Connection[Any]) -> set[str]:
    """Who declared something."""
    return {name for (name,) in connection.execute("SELECT DISTINCT declared_by FROM declaration")}


def test_each_command_stands_in_one_table() -> None:
    tables = [set(NEEDS), READS, RUNS]

    assert {each.words for each in COMMANDS} == set().union(*tables)
    assert sum(map(len, tables)) == len(COMMANDS)


def takes_by(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    kinds = [getattr(each.annotation, "__dataclass_fields__", {}) for each in parameters]
    return any(each.name == "by" for each in parameters) or any("by" in kind for kind in kinds)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_each_command_that_takes_a_person_asks_for_a_permission(command: Command) -> None:
    module, _, name = command.function.partition(":")
    function = getattr(import_module(module), name)

    assert permission_for(function) == NEEDS.get(command.words)
    if takes_by(function):
        assert command.words in NEEDS


def test_no_command_names_a_person_but_by_who_acts() -> None:
    said = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "deploy").rglob("*.py"))
        if "getuser()" in path.read_text("utf-8") or ".by or " in path.read_text("utf-8")
    ]

    assert said == ["deploy/commands/users/acting.py"]


def test_before_the_first_account_by_names_who_acts(
    books: Settings, connection: Connection[Any]
) -> None:
    assert run([*APPLY, "--by", "ann"]) == 0

    assert by_of(connection) == {"ann"}
    assert not token_path(books).exists()


def test_the_first_account_is_an_administrator_s(books: Settings, capsys: Printed) -> None:
    assert run(["user", "add", "anna", "--full-name", "Anna", "--role", "finance"]) == WRONG

    assert "the first account is an administrator's" in capsys.readouterr().err
    assert token_path(books).parent.exists() is False


def test_with_accounts_a_command_acts_as_who_is_in(
    books: Settings, connection: Connection[Any], capsys: Printed
) -> None:
    made(capsys, "chief", "administrator")
    assert run([*APPLY]) == WRONG
    assert "wattledger login" in capsys.readouterr().err
    signed_in(connection, books, "chief")
    assert run([*APPLY, "--by", "ann"]) == WRONG
    assert "--by names nobody where there are accounts" in capsys.readouterr().err
    assert by_of(connection) == set()

    assert run([*APPLY]) == 0

    assert by_of(connection) == {"chief"}


@pytest.mark.parametrize(
    ("roles", "told"),
    [
        pytest.param(["finance"], "one of the roles administrator", id="another role"),
        pytest.param(["administrator@depot"], "holds of a part alone", id="a part"),
        pytest.param(["auditor"], "may not do this (declare)", id="who changes nothing"),
    ],
)
def test_who_may_not_is_told_what_it_takes(
    books: Settings, connection: Connection[Any], capsys: Printed, roles: list[str], told: str
) -> None:
    made(capsys, "chief", "administrator")
    signed_in(connection, books, "chief")
    made(capsys, "anna", *roles)
    signed_in(connection, books, "anna")

    assert run([*APPLY]) == WRONG

    assert told in capsys.readouterr().err
    assert by_of(connection) == set()


def test_by_among_options_that_belong_together_is_refused_too(
    books: Settings, connection: Connection[Any], capsys: Printed
) -> None:
    made(capsys, "chief", "administrator")
    signed_in(connection, books, "chief")

    assert run([*TOP_UP, "--by", "ann"]) == WRONG
    assert "--by names nobody" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["blocked", "revoked", "a machine's", "no token", "another's"])
def test_a_token_that_holds_no_more_acts_no_more(
    books: Settings, connection: Connection[Any], capsys: Printed, how: str
) -> None:
    made(capsys, "chief", "administrator")
    signed_in(connection, books, "chief")
    made(capsys, "bert", "administrator")
    signed_in(connection, books, "bert")
    match how:
        case "blocked":
            block_account(connection, "bert", Giver("chief"), SystemClock().now())
        case "revoked":
            assert run(["logout"]) == 0
            signed_in(connection, books, "bert")
            connection.execute("UPDATE access_token SET revoked_at = now() WHERE person = 'bert'")
        case "a machine's":
            keep_token(books, make_token(connection, "app", ["read", "command"], by="chief"))
        case _:
            keep_token(books, "x" * 5000 if how == "no token" else "wl_another")
    capsys.readouterr()

    assert run([*APPLY]) == WRONG
    assert "your token holds no more" in capsys.readouterr().err


def test_who_lacks_the_second_factor_that_is_asked_for_does_nothing(
    books: Settings, connection: Connection[Any], capsys: Printed
) -> None:
    made(capsys, "chief", "administrator")
    signed_in(connection, books, "chief")
    assert run(["user", "require-factor", "chief"]) == 0
    capsys.readouterr()

    assert run([*APPLY]) == WRONG
    assert "set one at /console/login" in capsys.readouterr().err


def test_logout_ends_the_token_and_forgets_it(
    books: Settings, connection: Connection[Any], capsys: Printed
) -> None:
    made(capsys, "chief", "administrator")
    token = signed_in(connection, books, "chief")
    assert run(["logout", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"was_in": True}
    assert not token_path(books).exists()

    keep_token(books, token)
    assert run([*APPLY]) == WRONG


def test_nobody_else_reads_the_token(books: Settings) -> None:
    path = token_path(books)
    path.parent.mkdir(parents=True)
    path.write_text("wl_older")
    path.chmod(0o644)

    keep_token(books, "wl_newer")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "wl_newer\n"
    assert path != token_path(Settings(data=books.data / "other"))


def test_a_token_made_elsewhere_is_handed_in(
    books: Settings,
    connection: Connection[Any],
    capsys: Printed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made(capsys, "chief", "administrator")
    token = make_personal_token(connection, "chief", "laptop", SystemClock().now())
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{token}\n"))
    assert run(["login", "--token-stdin"]) == 0
    assert run([*APPLY]) == 0
    assert by_of(connection) == {"chief"}

    monkeypatch.setattr(sys, "stdin", io.StringIO("wl_nobodys"))
    assert run(["login", "--token-stdin"]) == WRONG
    assert "this token is no person's" in capsys.readouterr().err
    assert token_path(books).read_text().strip() == token


def typed(arguments: list[str], answers: list[tuple[str, str]]) -> tuple[int, str]:
    """Run the command line at a terminal of its own; return how it ended, and what it showed."""
    child, terminal = pty.fork()
    if not child:
        command = [sys.executable, "-c", "from deploy.cli import main; main()", *arguments]
        os.execv(command[0], command)
    shown = ""
    left = list(answers)
    while True:
        try:
            portion = os.read(terminal, 4096)
        except OSError:  # how Linux says that nobody writes any more
            break
        if not portion:
            break
        shown += portion.decode(errors="replace")
        if left and left[0][0] in shown.rpartition("\n")[2]:
            os.write(terminal, f"{left.pop(0)[1]}\n".encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_at_a_terminal_one_is_asked(
    books: Settings, connection: Connection[Any], capsys: Printed
) -> None:
    now = SystemClock().now()
    choose_password(connection, made(capsys, "chief", "administrator"), PASSWORD, now)
    offer_factor(connection, "chief")
    key = key_in(offered_address(connection, "chief") or "")
    assert set_factor(connection, "chief", code_at(key, now), now)
    connection.execute("UPDATE user_account SET factor_step = 0")

    wrong = typed(["login", "chief"], [("Password:", "another password")])
    code = code_at(key, SystemClock().now())
    right = typed(["login"], [("Name:", "chief"), ("Password:", PASSWORD), ("Code:", code)])

    assert wrong[0] == WRONG
    assert "do not belong together" in wrong[1]
    assert right[0] == 0, right[1]
    assert PASSWORD not in right[1]
    assert stat.S_IMODE(token_path(books).stat().st_mode) == 0o600
    assert run([*APPLY]) == 0
    assert by_of(connection) == {"chief"}


def test_roles_and_ways_in_are_shown_and_changed(
    books: Settings, connection: Connection[Any], capsys: Printed
) -> None:
    made(capsys, "chief", "administrator")
    signed_in(connection, books, "chief")
    link = made(capsys, "anna", "finance@depot", "operations@depot/pier")
    assert run(["user", "require-factor", "anna"]) == 0
    assert run(["user", "grant", "anna", "--role", "finance@depto", "auditor"]) == 0
    assert "finance@depto holds nowhere" in capsys.readouterr().err
    assert run(["user", "grant", "anna", "--role", "auditor"]) == 0
    assert "nowhere" not in capsys.readouterr().err
    assert run(["user", "grant", "chief", "--role", "auditor"]) == WRONG
    assert run(["user", "grant", "anna", "--role", "king"]) == WRONG
    assert run(["user", "invite", "anna", "--email", "anna@example.com"]) == 0
    assert run(["user", "invite", "anna"]) == WRONG
    assert run(["user", "link", "anna"]) == 0
    assert run(["user", "block", "anna"]) == 0
    assert run(["user", "link", "anna"]) == WRONG
    capsys.readouterr()
    assert run(["user", "list", "--json"]) == 0
    anna, chief = json.loads(capsys.readouterr().out)
    assert run(["user", "changes", "anna", "--json"]) == 0
    changes = json.loads(capsys.readouterr().out)

    assert anna["roles"] == ["auditor"]
    assert anna["blocked_at"] is not None
    assert anna["comes_in_by"] == ["second factor asked for", "invited by OIDC"]
    assert chief["roles"] == ["administrator"]
    assert [(each["kind"], each["changed_by"]) for each in changes] == [
        (kind, "chief")
        for kind in (
            "blocked",
            "linked",
            "invited",
            "granted",
            "granted",
            "factor_required",
            "linked",
            "added",
        )
    ]
    assert link not in str(changes)
    assert "example.com" not in str(changes)
    assert (
        run(["user", "list"]) == run(["user", "changes"]) == run(["user", "unblock", "anna"]) == 0
    )


@pytest.mark.parametrize("role", list(Role))
def test_no_role_may_everything_at_the_command_line(role: Role) -> None:
    may = {words for words, permission in NEEDS.items() if permission in PERMISSIONS[role]}

    assert may != set(NEEDS)
    assert bool(may) == (role is not Role.AUDITOR)
    assert Permission.GIVE_ACCESS in PERMISSIONS[Role.ADMINISTRATOR]
