"""By e-mail, over a real SMTP server: once, by its answer, or not sure and for a person."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.database import connect
from ledger.master_data.customers import Delivery
from projections.documents.delivery.deliverer import Deliverer
from projections.documents.delivery.links import linked
from projections.documents.delivery.mail import LinkAddress, MailServer, MailWay
from projections.documents.delivery.outbox import count_deliveries, deliver_again
from projections.documents.delivery.parcel import Parcel
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.keeping.kept import read_kept
from tests.certificates import Authority
from tests.faults.running_system import wait_until
from tests.projections.documents.delivery.mail_server import (
    SENDER,
    PostBox,
    free_port,
    mail_server,
)
from tests.projections.documents.issued_documents import (
    forget,
    issue,
    make_due,
    operator,
    render_plainly,
    rows,
)

_STATES = "SELECT state, attempts FROM document_delivery ORDER BY number"
_ATTEMPTS = "SELECT came_of_it, why FROM delivery_attempt ORDER BY delivery_id, attempt"


def letter(parcel: Parcel, link: str | None) -> tuple[str, str]:
    return f"Invoice {parcel.kept.number}", f"Dear {parcel.reader.name}, {link or 'see below'}\n"


def kept(
    dsn: str, tokens: Sequence[str] = ("ada-1",), *, way: Delivery = Delivery.EMAIL, email: str = ""
) -> list[str]:
    """Keep documents of readers who get them by *way*; return the numbers."""
    readers = dict.fromkeys((token.removesuffix("-1") for token in tokens), way)
    numbers = issue(dsn, operator(dsn, readers, email=email or None), tokens)
    with closing(DocumentKeeper(dsn, render_plainly)) as keeper:
        keeper.run_once()
    return numbers


def deliver(dsn: str, server: MailServer, links: LinkAddress | None = None) -> int:
    ways = {Delivery.EMAIL: MailWay(server, letter), Delivery.LINK: MailWay(server, letter, links)}
    with closing(Deliverer(dsn, ways)) as deliverer:
        return deliverer.run_once()


def test_a_reader_gets_the_document_attached_once(database: str) -> None:
    [number] = kept(database)
    box = PostBox()

    with mail_server(box) as server:
        assert (deliver(database, server), deliver(database, server)) == (1, 0)

    [(recipients, message)] = box.taken
    [attached] = message.iter_attachments()
    with connect(database) as connection:
        assert attached.get_content() == read_kept(connection, number).pdf
    assert attached.get_filename() == f"{number}.pdf"
    assert recipients == ["ada@example.org"]
    assert message["From"] == f"Depot GmbH <{SENDER}>"
    assert message["Subject"] == f"Invoice {number}"
    body = message.get_body()
    assert body is not None
    assert "Dear Ada Reader" in body.get_content()
    assert rows(database, _STATES) == [("delivered", 1)]


def test_over_tls_with_a_login_or_not_at_all(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(database)
    authority = Authority(tmp_path)
    certificate = authority.issue("mail")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.certificate, certificate.key)
    box = PostBox()

    with mail_server(box, tls=tls, password="right") as server:
        assert deliver(database, server) == 1
        assert box.taken == [], "nobody vouches for the server"
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
        for given in (replace(server, password="wrong"), replace(server, encryption="none")):
            make_due(database)
            assert deliver(database, given) == 1
        assert box.taken == []
        make_due(database)
        assert deliver(database, server) == 1

    assert len(box.taken) == 1
    attempts = rows(database, _ATTEMPTS)
    assert [came_of_it for came_of_it, _ in attempts] == ["not_delivered"] * 3 + ["delivered"]
    assert attempts[0][1] == "the server cannot be used: SSLCertVerificationError"


@pytest.mark.parametrize(
    ("answer", "state", "why"),
    [
        ("450 4.2.1 ada@example.org is full", "waiting", "SMTP 450 4.2.1"),
        ("550 5.1.1 nobody is called ada@example.org", "refused", "SMTP 550 5.1.1"),
        ("550 ada@example.org unknown", "refused", "SMTP 550"),
    ],
)
def test_a_reader_whom_the_server_refuses_is_noted_without_its_words(
    database: str, answer: str, state: str, why: str
) -> None:
    kept(database)
    box = PostBox(at_recipient=answer)

    with mail_server(box) as server:
        deliver(database, server)

    assert rows(database, _STATES) == [(state, 1)]
    [(_, told)] = rows(database, _ATTEMPTS)
    assert told == why


@pytest.mark.parametrize(
    ("answer", "state"), [("451 4.3.0 later", "waiting"), ("554 5.6.0 no", "refused")]
)
def test_a_message_that_the_server_refuses_has_not_arrived(
    database: str, answer: str, state: str
) -> None:
    kept(database)
    box = PostBox(after_data=answer)

    with mail_server(box) as server:
        deliver(database, server)
        box.after_data = "250 OK"
        make_due(database)
        deliver(database, server)

    assert len(box.taken) == (state == "waiting")


def test_where_no_answer_came_nothing_is_sent_again_until_a_person_says_so(database: str) -> None:
    [number] = kept(database)
    box = PostBox(breaks_off=True)

    with mail_server(box) as server, connect(database) as connection:
        deliver(database, server)
        make_due(database)
        assert deliver(database, server) == 0
        assert count_deliveries(connection)["unknown"] == 1

        box.breaks_off = False
        assert deliver_again(connection, [number]) == [number]
        assert deliver(database, server) == 1

    # It had arrived: whoever reads mails can tell by the id that this is the same one.
    assert len(box.ids) == 2
    assert len(set(box.ids)) == 1
    assert rows(database, _STATES) == [("delivered", 2)]


def test_a_server_that_is_away_is_tried_again_and_again_but_not_for_ever(database: str) -> None:
    kept(database)
    nowhere = MailServer(host="127.0.0.1", port=free_port(), sender=SENDER, encryption="none")

    for _ in range(25):
        make_due(database)
        assert deliver(database, nowhere) == 1

    assert rows(database, _STATES) == [("refused", 25)]
    make_due(database)
    assert deliver(database, nowhere) == 0


@pytest.mark.parametrize(
    ("email", "takes_utf8", "taken"),
    [
        ("grüße@example.org", True, 1),
        ("grüße@example.org", False, 0),
        ("ada@example.org\r\nBcc: all@example.org", True, 0),
        ("no address", True, 0),
        ("", True, 1),
    ],
)
def test_an_address_is_used_as_it_is_or_not_at_all(
    database: str, email: str, *, takes_utf8: bool, taken: int
) -> None:
    kept(database, email=email)
    box = PostBox()

    with mail_server(box, takes_utf8=takes_utf8) as server:
        deliver(database, server)

    assert [recipients for recipients, _ in box.taken] == [[email or "ada@example.org"]] * taken
    assert rows(database, _STATES) == [("delivered" if taken else "refused", 1)]


def test_a_reader_without_an_address_is_waited_for(database: str) -> None:
    readers = {"ada": Delivery.EMAIL}
    declarations = operator(database, readers, email="")
    issue(database, declarations, ["ada-1"])
    with closing(DocumentKeeper(database, render_plainly)) as keeper:
        keeper.run_once()

    with mail_server(PostBox()) as server:
        deliver(database, server)

    assert rows(database, _ATTEMPTS) == [("not_delivered", "no e-mail address is declared")]


def test_a_link_leads_to_the_document_until_it_expires(database: str) -> None:
    [number] = kept(database, way=Delivery.LINK)
    box = PostBox()

    with mail_server(box) as server:
        deliver(database, server, LinkAddress(url="https://bills.example/", days=30))

    [(_, message)] = box.taken
    assert list(message.iter_attachments()) == []
    body = message.get_body()
    assert body is not None
    token = body.get_content().rpartition("https://bills.example/documents/")[2].strip()
    with connect(database) as connection:
        assert linked(connection, token) == number
        assert [linked(connection, each) for each in ("", token[:-1], "x" * 9999)] == [None] * 3
        connection.execute("UPDATE document_link SET expires_at = now()")
        assert linked(connection, token) is None
    # Who reads the table finds no way to the document.
    assert token not in str(rows(database, "SELECT * FROM document_link"))


def test_nothing_is_sent_to_who_was_erased(database: str) -> None:
    kept(database)
    forget(database, "ada")
    box = PostBox()

    with mail_server(box) as server:
        deliver(database, server)

    assert box.taken == []
    assert rows(database, _STATES) == [("erased", 1)]


def test_only_one_delivers_at_a_time_and_the_next_one_takes_over(database: str) -> None:
    kept(database, ["ada-1", "ada-1"])
    box = PostBox()

    with mail_server(box) as server:
        ways = {Delivery.EMAIL: MailWay(server, letter)}
        with closing(Deliverer(database, ways)) as second:
            with closing(Deliverer(database, ways)) as first:
                assert (first.run_once(lambda: bool(box.taken)), second.run_once()) == (1, 0)
            wait_until(lambda: second.run_once() == 1, "the second one takes over")

    assert len(set(box.ids)) == 2


def test_who_chose_a_way_after_a_document_was_issued_gets_no_old_one_by_it(database: str) -> None:
    numbers = kept(database, way=Delivery.NONE)
    operator(database, {"ada": Delivery.EMAIL})
    with closing(DocumentKeeper(database, render_plainly)) as keeper:
        keeper.run_once()

    assert len(numbers) == 1
    assert rows(database, _STATES) == []
