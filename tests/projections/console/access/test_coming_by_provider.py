"""Coming in by an OpenID provider, a real one for tests."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.users.browser_sessions import begin_session, find_session
from ledger.users.giving import Giver, add_account, block_account, link_account
from ledger.users.identities import InvitedBy, UnfitInvitationError, invite
from ledger.users.own_account import choose_password
from ledger.users.proving.links import DeadLinkError
from ledger.users.roles import Grant, Role
from ledger.users.store import list_changes
from ledger.users.user import User
from projections.console.page import COOKIE
from tests.projections.console.access.somebody_in import send
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
GIVER = Giver("chief")
PEOPLE = {
    "sub-anna": {"email": "Anna@Example.com", "email_verified": True},
    "sub-bert": {"email": "anna@example.com", "email_verified": False},
    "sub-carl": {"email": "carl@example.com", "email_verified": "true"},
    "sub-dora": {},
}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with warnings.catch_warnings():
        # It is built on what its library has in a newer form by now.
        warnings.simplefilter("ignore")
        import oidc_provider_mock  # noqa: PLC0415 - warns when it is imported

        users = [oidc_provider_mock.User(sub=sub, claims=PEOPLE[sub]) for sub in PEOPLE]
        with oidc_provider_mock.run_server_in_thread(user_claims=users) as server:
            yield f"http://localhost:{server.server_port}"


@pytest.fixture
def console(database: str, provider: str, tmp_path: Path) -> Iterator[ServedConsole]:
    secret = tmp_path / "secret"
    secret.write_text("what this provider takes, whatever it is\n")
    given = {
        "oidc_issuer": provider,
        "oidc_client_id": "wattledger",
        "oidc_client_secret_file": str(secret),
    }
    with served_console(database, datetime.now(UTC), **given) as served:
        yield served


@pytest.fixture
def connection(console: ServedConsole) -> Iterator[Connection[Any]]:
    with connect(console.dsn) as opened:
        for name in ("anna", "bert"):
            user = User(name=name, full_name=name, grants=(Grant(Role.FINANCE),))
            add_account(opened, user, GIVER, console.at)
        yield opened


@contextmanager
def browser(console: ServedConsole) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=console.url, trust_env=False, timeout=60) as client:
        yield client


def come(client: httpx.Client, subject: str, wanted: str = "") -> httpx.Response:
    """Go to the provider, be *subject* there, and come back."""
    way = client.get("/console/oidc/start", params={"next": wanted} if wanted else {})
    assert way.status_code == 303
    # The provider has the parameters, and never our cookies.
    back = httpx.post(way.headers["location"], data={"sub": subject}, trust_env=False)
    assert back.status_code == 302, back.text
    return client.get(back.headers["location"])


def test_who_was_invited_comes_in_and_is_known_by_the_subject_from_then_on(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    invite(connection, "anna", "anna@example.COM", InvitedBy.EMAIL, GIVER, console.at)
    wanted = "/console/invoices?customer=7"
    with browser(console) as client:
        assert "Sign in with localhost" in client.get("/console/login").text
        first = come(client, "sub-anna", wanted)
        assert (first.status_code, first.headers["location"]) == (303, wanted)
        assert "anna" in client.get("/console/me").text
    with browser(console) as client:
        assert come(client, "sub-anna", "https://evil.example/").headers["location"] == "/console"
    kinds = [each.kind for each in list_changes(connection, name="anna")]
    assert kinds == ["identified", "invited", "linked", "added"]
    kept = "".join(
        str(connection.execute(f"SELECT * FROM {table}").fetchall())
        for table in ("user_account", "user_change", "browser_session")
    )
    assert "example.com" not in kept.casefold()


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("sub-bert", id="an address that the provider did not verify"),
        pytest.param("sub-carl", id="one that it says it did in another type"),
        pytest.param("sub-dora", id="no address"),
        pytest.param("sub-eve", id="somebody new"),
    ],
)
def test_who_was_not_invited_is_nobody(
    console: ServedConsole, connection: Connection[Any], subject: str
) -> None:
    for name, email in (("anna", "anna@example.com"), ("bert", "carl@example.com")):
        invite(connection, name, email, InvitedBy.EMAIL, GIVER, console.at)
    with browser(console) as client:
        answer = come(client, subject)

        assert answer.status_code == 403
        assert "Nobody invited you here." in answer.text
        assert COOKIE not in client.cookies


def test_a_subject_may_be_invited_and_a_blocked_one_stays_out(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    invite(connection, "bert", "sub-dora", InvitedBy.SUBJECT, GIVER, console.at)
    with browser(console) as client:
        assert come(client, "sub-dora").status_code == 303
    block_account(connection, "bert", GIVER, console.at)
    # Another invitation of the same person is none while the first account is theirs.
    invite(connection, "anna", "sub-dora", InvitedBy.SUBJECT, GIVER, console.at)
    with browser(console) as client:
        assert come(client, "sub-dora").status_code == 403


def test_each_new_way_in_ends_those_before(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    link = link_account(connection, "anna", GIVER, console.at)
    invite(connection, "anna", "anna@example.com", InvitedBy.EMAIL, GIVER, console.at)
    before = begin_session(connection, "anna", console.at)
    with browser(console) as client:
        assert come(client, "sub-anna").status_code == 303
    # Whoever was in, or could have come in by the link, can no more.
    assert find_session(connection, before, console.at) is None
    with pytest.raises(DeadLinkError):
        choose_password(connection, link, "some words that nobody guesses", console.at)

    link = link_account(connection, "anna", GIVER, console.at)
    choose_password(connection, link, "some words that nobody guesses", console.at)
    with browser(console) as client:
        assert come(client, "sub-anna").status_code == 403


def test_a_code_without_its_browser_is_worth_nothing(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    invite(connection, "anna", "anna@example.com", InvitedBy.EMAIL, GIVER, console.at)
    with browser(console) as thief, browser(console) as victim:
        way = thief.get("/console/oidc/start")
        back = httpx.post(way.headers["location"], data={"sub": "sub-anna"}, trust_env=False)
        planted = victim.get(back.headers["location"])
        victim.get("/console/oidc/start")
        crossed = victim.get(back.headers["location"])
        denied = thief.get("/console/oidc/back?error=access_denied")

        for answer in (planted, crossed, denied):
            assert answer.status_code == 403
            assert "did not say who you are" in answer.text
        assert COOKIE not in victim.cookies
        # The way was ended by the first answer, whatever it was.
        assert thief.get(back.headers["location"]).status_code == 403


def test_strangers_who_come_back_with_nothing_fill_no_log(
    console: ServedConsole, caplog: pytest.LogCaptureFixture
) -> None:
    with browser(console) as client:
        for _ in range(20):
            assert client.get("/console/oidc/back?code=made-up&state=x").status_code == 403

    said = [each for each in caplog.messages if "nobody came in by the provider" in each]
    # The last one of another test may have been a moment ago.
    assert len(said) <= 2, said


@pytest.mark.usefixtures("connection")
def test_an_administrator_invites_on_a_person_s_page(console: ServedConsole) -> None:
    with console.client("chief", Role.ADMINISTRATOR) as client:
        assert (
            "E-mail address with localhost" in client.get("/console/access/person?name=anna").text
        )
        sent = {"name": "anna", "invited": "anna@example.com"}
        assert send(client, "/access/person/invite", **sent).status_code == 303
        for name, invited in (("bert", "ANNA@example.com"), ("bert", ""), ("bert", "no address")):
            answer = send(client, "/access/person/invite", name=name, invited=invited)
            assert answer.status_code == 400, (name, invited)
    with browser(console) as client:
        assert come(client, "sub-anna").status_code == 303


def test_an_invitation_is_of_one_account(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    invite(connection, "anna", "a@example.com", InvitedBy.EMAIL, GIVER, console.at)
    invite(connection, "anna", "a@example.com", InvitedBy.EMAIL, GIVER, console.at)

    with pytest.raises(UnfitInvitationError):
        invite(connection, "bert", "A@example.com", InvitedBy.EMAIL, GIVER, console.at)


def test_without_a_provider_there_is_no_way(database: str) -> None:
    with served_console(database, datetime.now(UTC)) as served, browser(served) as client:
        client.cookies.set(COOKIE, served.cookie("anna"), path="/console")
        for path in ("start", "back"):
            assert client.get(f"/console/oidc/{path}").status_code == 404
