"""Documents of every kind and language, judged by others' validators: Mustang, veraPDF and phive.

`make outside` runs it; it wants Java and Maven, which fetches the judges once.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.tax_categories import is_electronic
from projections.documents.electronic.ubl_writer import ubl
from tests.outside.documents.fifty import Written, fifty
from tests.outside.documents.judge import ARCHIVE, EN, FACTUR_X, GERMAN, PDF_A, Verdict, judged
from tests.outside.documents.programs import NAMES, class_path, how_to_get_judges
from tests.projections.documents.electronic.electronic_samples import LEITWEG_ID, cases, public

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.usefixtures("_judges"),
]


@pytest.fixture(scope="module")
def _judges() -> None:
    if lacking := how_to_get_judges():
        pytest.skip(f"documents are judged by programs in Java: {lacking}")
    for name in NAMES:
        class_path(name)


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> list[Written]:
    return fifty(tmp_path_factory.mktemp("documents"))


@pytest.fixture(scope="module")
def verdicts(documents: list[Written]) -> list[Verdict]:
    files = [file for each in documents for file in (each.pdf, each.ubl) if file is not None]
    return judged(files)


def test_fifty_documents_are_valid_to_every_judge(
    documents: list[Written], verdicts: list[Verdict]
) -> None:
    assert len(documents) >= 50
    assert [str(each) for each in verdicts if not each.valid] == []


def test_each_judge_spoke_of_all_that_it_should(
    documents: list[Written], verdicts: list[Verdict]
) -> None:
    by_judge = {judge: {each.file for each in verdicts if each.judge == judge} for judge in JUDGES}
    electronic = [each for each in documents if each.ubl]

    assert len(by_judge[ARCHIVE]) == len(documents)
    assert len(by_judge[PDF_A]) == len(by_judge[FACTUR_X]) == len(electronic)
    assert len(by_judge[EN]) == 2 * len(electronic)
    assert len(by_judge[GERMAN]) == 2 * len([e for e in documents if "public buyer" in e.name])


def test_every_priced_case_is_valid_in_both_syntaxes_for_a_public_buyer_too(tmp_path: Path) -> None:
    files = []
    for name, shown in cases().items():
        if is_electronic(shown):
            buyer = replace(public(shown).buyer, vat_id=shown.buyer.vat_id)
            for written in (cii, ubl):
                files.append(tmp_path / f"{name}.{written.__name__}.xml")
                files[-1].write_bytes(written(replace(public(shown), buyer=buyer)))

    found = judged(files)

    assert len(files) > 180
    assert [str(each) for each in found if not each.valid] == []
    assert {each.file for each in found if each.judge == GERMAN} == set(map(str, files))


JUDGES = (ARCHIVE, PDF_A, FACTUR_X, EN, GERMAN)


def broken(file: Path, folder: Path, *, what: bytes, by: bytes) -> Path:
    """Return a copy of *file* with one thing changed."""
    content = file.read_bytes()
    assert what in content
    copy = folder / file.name
    copy.write_bytes(content.replace(what, by))
    return copy


def test_a_broken_sum_is_invalid(documents: list[Written], tmp_path: Path) -> None:
    plain = next(each for each in documents if each.name == "plain")
    assert plain.ubl

    [verdict] = judged([broken(plain.ubl, tmp_path, what=b">4.76</cbc:Pay", by=b">4.77</cbc:Pay")])

    assert (verdict.judge, verdict.valid) == (EN, False)
    assert "BR-CO-16" in verdict.why


def test_a_public_buyer_without_its_reference_is_invalid_to_its_own_rules_alone(
    documents: list[Written], tmp_path: Path
) -> None:
    public = next(each for each in documents if each.name == "public buyer")
    assert public.ubl

    reference = f"<cbc:BuyerReference>{LEITWEG_ID}</cbc:BuyerReference>".encode()
    found = judged([broken(public.ubl, tmp_path, what=reference, by=b"")])

    assert [(each.judge, each.valid) for each in found] == [(EN, True), (GERMAN, False)]


def test_pages_that_are_no_archive_are_invalid_though_their_invoice_is_valid(
    documents: list[Written], tmp_path: Path
) -> None:
    plain = next(each for each in documents if each.name == "plain")

    found = judged([broken(plain.pdf, tmp_path, what=b"pdfaid:part", by=b"pdfaid:trap")])

    assert {each.judge: each.valid for each in found} == {
        ARCHIVE: False, PDF_A: False, FACTUR_X: True, EN: True
    }  # fmt: skip


def test_what_is_no_document_is_invalid(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.xml"
    nothing.write_text("nothing", "utf-8")

    assert [each.valid for each in judged([nothing])] == [False]
