"""The files for many machines, judged by the tools that will read them: no container engine needed.

`make outside` runs it; it wants Go, which builds the tools once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.settings import NAMES, Settings
from tests.tree import ROOT

DEPLOY = ROOT / "deploy"
HELM = "helm.sh/helm/v3/cmd/helm@v3.19.2"
HERE = ROOT / "tests" / "outside"
PARTS = ("stations", "worker", "invoicing", "documents", "roaming", "projections", "interface")
SERVED = ("stations", "roaming", "interface")
TLS_AND_SASL = ("secrets.kafkaTls=tls", "secrets.kafkaSasl=sasl")
STRIPE = ("secrets.stripe=stripe",)
TLS = ("settings.tls_port=9443", "settings.files_port=9444", "secrets.tls=tls")
OTHERS = ("secrets.mail=mail", "secrets.webhook=webhook", "secrets.oidc=oidc")
HIDDEN = [each.name for each in fields(Settings) if not each.repr]
"""Settings that nobody may read."""
SECRETS = {
    "POSTGRES_PASSWORD": "one",
    "GRAFANA_PASSWORD": "two",
    "KAFKA_CLUSTER_ID": "MkU3OEVBNTcwNTJENDM2Qg",
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def ran(*words: str | Path, **options: Any) -> str:  # noqa: ANN401 - subprocess's own
    done = subprocess.run(
        [str(word) for word in words], check=False, capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="session")
def tools() -> Path:
    """A folder with `helm`, kept for the next run, as is what else is built there."""
    if shutil.which("go") is None:
        pytest.skip("the files are checked by tools that Go builds: apt-get install golang")
    folder = Path.home() / ".cache" / "wattledger" / "outside"
    if not (folder / "helm").exists():
        ran("go", "install", HELM, env=os.environ | {"GOBIN": str(folder)})
    return folder


@pytest.fixture(scope="session")
def promtool(tools: Path) -> Path:
    """Prometheus's own checker. Its module is built under one of ours: it replaces some."""
    if not (tools / "promtool").exists():
        built("promtool", tools, "github.com/prometheus/prometheus/cmd/promtool")
    return tools / "promtool"


def built(name: str, folder: Path, package: str = ".") -> Path:
    """Return the program that Go builds of the module in the folder *name* beside this file."""
    with tempfile.TemporaryDirectory() as scratch:
        # Go notes there what it fetched.
        module = shutil.copytree(HERE / name, Path(scratch) / name)
        program = folder / name
        environment = os.environ | {"GOFLAGS": "-mod=mod"}
        ran("go", "build", "-o", program, package, cwd=module, env=environment)
    return program


def rendered(tools: Path, *values: str) -> list[dict[str, Any]]:
    sets = [word for value in values for word in ("--set", value)]
    text = ran(tools / "helm", "template", "w", DEPLOY / "chart", *sets)
    return [found for found in yaml.safe_load_all(text) if found]


def test_the_chart_passes_helms_lint(tools: Path) -> None:
    assert "0 chart(s) failed" in ran(tools / "helm", "lint", "--strict", DEPLOY / "chart")


def test_every_part_has_probes_limits_and_a_disruption_budget(tools: Path) -> None:
    found = rendered(tools, *TLS_AND_SASL)

    parts = {f"w-{name}" for name in PARTS}
    deployments = {each["metadata"]["name"]: each for each in found if each["kind"] == "Deployment"}
    budgets = [each for each in found if each["kind"] == "PodDisruptionBudget"]
    assert deployments.keys() == parts == {each["metadata"]["name"] for each in budgets}
    for deployment in deployments.values():
        pod = deployment["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
        assert "memory" in container["resources"]["limits"]
        assert container["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        named = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == named
        given = {each["name"] for each in container["env"]}
        assert {"WATTLEDGER_KAFKA_SASL_PASSWORD", "WATTLEDGER_KAFKA_CA_FILE"} <= given


def test_payments_run_where_there_is_a_key_and_everybody_knows_it(tools: Path) -> None:
    found = [each for each in rendered(tools, *STRIPE) if each["kind"] == "Deployment"]

    assert {each["metadata"]["name"] for each in found} == {f"w-{name}" for name in PARTS} | {
        "w-payments"
    }
    for deployment in found:
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        given = {each["name"]: each for each in container["env"]}
        assert "value" not in given["WATTLEDGER_STRIPE_KEY"]
        assert {"WATTLEDGER_STRIPE_WEBHOOK_SECRET", "WATTLEDGER_STRIPE_PUBLISHABLE_KEY"} <= {*given}


@pytest.mark.parametrize("certificate", ["true", "false"])
def test_who_proves_who_he_is_to_kafka_may_read_his_files_and_has_all_settings(
    tools: Path, certificate: str
) -> None:
    given = (*TLS_AND_SASL, f"secrets.kafkaCertificate={certificate}")
    pods = [
        each["spec"]["template"]["spec"]
        for each in rendered(tools, *given)
        if each["kind"] in ("Deployment", "Job")
    ]

    assert len(pods) == len(PARTS) + 1, "each part, and what prepares the database"
    for pod in pods:
        [container] = pod["containers"]
        # Files of a secret are root's and its group's; the group is this one.
        assert pod["securityContext"]["fsGroup"] == container["securityContext"]["runAsGroup"]
        named = {each["name"] for each in container["env"]}
        settings = {f"WATTLEDGER_{name.upper()}" for name in NAMES}
        assert named <= settings
        asked = {name for name in named if re.search("_KAFKA_(SASL_|.*_FILE$)", name)}
        whole = {name for name in settings if re.search("_KAFKA_(SASL_|.*_FILE$)", name)}
        certified = {"WATTLEDGER_KAFKA_CERTIFICATE_FILE", "WATTLEDGER_KAFKA_KEY_FILE"}
        assert asked == (whole if certificate == "true" else whole - certified)


def test_stations_reach_by_tls_what_is_theirs_and_the_interface_is_not(tools: Path) -> None:
    found = rendered(tools, *TLS, *OTHERS)

    services = {each["metadata"]["name"]: each for each in found if each["kind"] == "Service"}
    assert services.keys() == {"w-files"} | {f"w-{name}" for name in SERVED}
    assert ports_of(services["w-stations"]) == {"ocpp": 9000, "ocpp-tls": 443}
    assert ports_of(services["w-files"]) == {"files": 443}
    assert ports_of(services["w-interface"]) == {"http": 8080}
    assert services["w-files"]["spec"]["selector"] == services["w-interface"]["spec"]["selector"]
    secrets = {}
    for part in (each for each in found if each["kind"] == "Deployment"):
        pod = part["spec"]["template"]["spec"]
        [container] = pod["containers"]
        named = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == named
        secrets[part["metadata"]["name"]] = named - {"data", "tmp"}
        opened = {each["name"]: each["containerPort"] for each in container["ports"]}
        assert opened.get("ocpp-tls") == (9443 if "edge" in named else None)
        assert opened.get("files") == (9444 if "oidc" in named else None)
    private = {"w-stations": {"edge", "tls"}, "w-interface": {"tls", "oidc"}}
    assert secrets == {f"w-{name}": private.get(f"w-{name}", set()) for name in PARTS}


def ports_of(service: dict[str, Any]) -> dict[str, int]:
    return {each["name"]: each["port"] for each in service["spec"]["ports"]}


def test_what_nobody_may_read_comes_by_secrets(tools: Path) -> None:
    found = rendered(tools, *TLS_AND_SASL, *STRIPE, *TLS, *OTHERS)

    for pod in (each["spec"]["template"]["spec"] for each in found if "template" in each["spec"]):
        given = {each["name"]: each for each in pod["containers"][0]["env"]}
        assert {f"WATTLEDGER_{name.upper()}" for name in HIDDEN} <= given.keys()
        for name in HIDDEN:
            assert "secretKeyRef" in given[f"WATTLEDGER_{name.upper()}"]["valueFrom"]


@pytest.mark.parametrize("setting", ["log=postgres", *(f"{name}=s" for name in HIDDEN)])
def test_a_chart_without_kafka_or_with_a_secret_in_clear_is_refused(
    tools: Path, setting: str
) -> None:
    done = subprocess.run(
        [tools / "helm", "template", "w", DEPLOY / "chart", "--set", f"settings.{setting}"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode != 0
    assert "/settings/log" in done.stderr or setting.partition("=")[0] in done.stderr


def test_compose_reads_its_file(tools: Path, tmp_path: Path) -> None:
    assert tools.is_dir()
    check = built("compose_check", tmp_path)
    services = ran(check, DEPLOY / "compose.yaml", env=os.environ | SECRETS).split()

    assert {"kafka-1", "kafka-2", "kafka-3", "postgres", "stations", "worker"} <= set(services)
    assert {"invoicing", "documents", "roaming", "projections", "interface"} <= set(services)
    assert {"prometheus", "grafana"} <= set(services)


@pytest.mark.parametrize(
    "values", [(), (*TLS_AND_SASL, *STRIPE, *TLS, *OTHERS)], ids=["plain", "with secrets"]
)
def test_kubernetes_knows_every_field_of_the_chart(
    tools: Path, tmp_path: Path, values: tuple[str, ...]
) -> None:
    manifests = yaml.safe_dump_all(rendered(tools, *values))
    check = built("manifest_check", tmp_path)

    kinds = ran(check, input=manifests).split()

    counts = {"Job": 1, "Service": len(SERVED) + (TLS[0] in values)}
    parts = len(PARTS) + (STRIPE[0] in values)
    counts |= dict.fromkeys(("Deployment", "PodDisruptionBudget"), parts)
    assert Counter(kinds) == counts
    wrong = manifests.replace("maxUnavailable", "maxUnavailible", 1)
    done = subprocess.run([check], check=False, capture_output=True, text=True, input=wrong)
    assert "unknown field" in done.stderr


def test_prometheus_takes_its_configuration_and_the_alerts(promtool: Path) -> None:
    said = ran(promtool, "check", "config", "--lint=all", DEPLOY / "prometheus/prometheus.yml")

    rules = (DEPLOY / "prometheus/alerts.yml").read_text("utf-8").count("- alert:")
    assert rules > 0
    assert f"SUCCESS: {rules} rules found" in said


def test_the_alerts_wake_up_whom_they_should(promtool: Path, tmp_path: Path) -> None:
    for path in (HERE / "alerts_test.yml", DEPLOY / "prometheus/alerts.yml"):
        shutil.copy(path, tmp_path)

    assert "SUCCESS" in ran(promtool, "test", "rules", tmp_path / "alerts_test.yml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "", ""),
        ('"gridPos"', '"gridPoss"', "unexpected field 'gridPoss'"),
        ('"legendFormat"', '"legendFormt"', "unexpected field 'legendFormt'"),
        ('"unit": "s"', '"unit": 7', "cannot unmarshal number"),
    ],
    ids=["as it is", "a wrong field", "a wrong field of a query", "a wrong type"],
)
def test_grafana_knows_every_field_of_the_dashboard(
    tools: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert tools.is_dir()
    text = json.dumps(dashboard_as_it_is())
    dashboard = json.loads(text.replace(old, new) if old else text)
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            # By this the checker knows what a query may have.
            target["datasource"] = panel["datasource"]
    check = built("dashboard_check", tmp_path)

    done = subprocess.run(
        [check], check=False, capture_output=True, text=True, input=json.dumps(dashboard)
    )

    assert said in done.stderr
    assert (done.returncode == 0) == (said == "")


def dashboard_as_it_is() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana/wattledger.json").read_text("utf-8"))
    return found


def test_prometheus_reads_every_query_of_the_dashboard(promtool: Path, tmp_path: Path) -> None:
    dashboard = dashboard_as_it_is()
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(asked)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert f"SUCCESS: {len(asked)} rules found" in ran(promtool, "check", "rules", path)
