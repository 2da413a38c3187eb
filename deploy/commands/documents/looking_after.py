"""`wattledger documents`: what became of documents, and having it done again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say, utc
from deploy.running.opening import opened

if TYPE_CHECKING:
    from projections.documents.keeping.checking import DocumentCheckReport

COLUMNS: Final = {
    "document": "left",
    "date": "left",
    "kind": "left",
    "language": "left",
    "rendered": "left",
    "way": "left",
    "delivery": "left",
    "attempts": "right",
    "next": "left",
    "why": "left",
}
Flag = Annotated[bool, Parameter(negative=())]


def listed(
    *,
    open_: Annotated[Flag, Parameter(name="--open")] = False,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List issued documents: rendered or not, delivered or not, and why not.

    `unknown`: the process ended while a mail was handed over, and it may have arrived. It is sent
    again only by `wattledger documents retry NUMBER`.

    Args:
        open_: Only what is not rendered, or whose delivery is not over.
        limit: At most so many.
        folder: Where.
    """
    from projections.documents.delivery.listing import list_documents

    with opened(folder.settings()) as connection:
        found = list_documents(connection, limit=limit, only_open=open_)
    if folder.json:
        print_json(found)
        return 0
    rows = [
        (
            each.number,
            each.issued_on,
            each.kind or "",
            each.language or "",
            each.state,
            each.way or "",
            each.delivery or "",
            each.attempts or each.renderings,
            "" if each.next_at is None else utc(each.next_at),
            each.why or "",
        )
        for each in found
    ]
    print_rows("Documents", COLUMNS, rows)
    return 0


def retry(
    *numbers: str,
    all_: Annotated[Flag, Parameter(name="--all")] = False,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Have documents rendered or delivered again at once, also where nobody can tell.

    The running system does it. A mail whose arrival is `unknown` may so come twice, under the same
    Message-ID.

    Args:
        numbers: Which.
        all_: Instead all that failed to be rendered, or wait for a further attempt. What is
            `unknown` or `refused` is named by its number.
        folder: Where.
    """
    from projections.documents.delivery.outbox import deliver_again
    from projections.documents.keeping.tasks import try_again

    if all_ == bool(numbers):
        message = "say which documents, or --all"
        raise DeployError(message)
    with opened(folder.settings()) as connection:
        again = {
            *try_again(connection, numbers, all_failed=all_),
            *deliver_again(connection, numbers, all_waiting=all_),
        }
    if folder.json:
        print_json(sorted(again))
    else:
        for number in sorted(again):
            say(f"{number}: again")
        for number in sorted(set(numbers) - again):
            say(f"{number}: nothing of it is left to be done")
    return 0 if again or all_ else 1


def check(*numbers: str, folder: ReadingFolder = READ_FOLDER) -> int:
    """Render kept documents again and compare: their bytes, or what stands in them.

    With the same versions of all that renders, the bytes must be the same. With others it is
    compared what was issued and the electronic invoice, and said what of the renderer is another.
    Exits 1 if something is not as it must be.

    Args:
        numbers: Which; all if none is named.
        folder: Where.
    """
    from deploy.progress_bar import progress_bar
    from projections.documents.keeping.checking import check_document, kept_numbers
    from projections.documents.keeping.rendering import DocumentRenderer

    found: list[DocumentCheckReport] = []
    with (
        opened(folder.settings()) as connection,
        progress_bar("comparing", is_shown=not folder.json) as show,
    ):
        render, every = DocumentRenderer(), numbers or kept_numbers(connection)
        for done, number in enumerate(every):
            show(done, len(every), number)
            found.append(check_document(connection, render, number))
    wrong = [each for each in found if not each.is_right]
    if folder.json:
        print_json(found)
    else:
        for each in found:
            if each.skipped or each.renderer or not each.is_right:
                say(_said(each))
        say(f"{len(found)} documents compared, {len(wrong)} are not what they were")
    return 1 if wrong else 0


def _said(each: DocumentCheckReport) -> str:
    if each.skipped:
        return f"{each.number}: not compared, {each.skipped}"
    form = "the same bytes" if each.same_bytes else "other bytes"
    content = "the same content" if each.same_content else "OTHER CONTENT"
    others = "; ".join(
        f"{name} was {then}, is {now}" for name, (then, now) in each.renderer.items()
    )
    return f"{each.number}: {form}, {content}; {others or 'by the same renderer'}"
