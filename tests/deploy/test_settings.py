from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.errors import DeployError
from deploy.settings import (
    NAMES,
    BadSettingError,
    Settings,
    UnknownSettingError,
    load_settings,
    settings_table,
)


def test_nothing_given_means_the_defaults(tmp_path: Path) -> None:
    settings = load_settings({}, data=tmp_path)

    assert settings == Settings(data=tmp_path)


def test_given_values_win_over_variables_and_those_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "wattledger.toml").write_text("partitions = 4\nlinger_ms = 7\ntick_seconds = 9\n")
    environment = {"WATTLEDGER_LINGER_MS": "8", "WATTLEDGER_TICK_SECONDS": "10", "HOME": "x"}

    settings = load_settings(environment, data=tmp_path, tick_seconds=11, listen_port=None)

    assert (settings.partitions, settings.linger_ms, settings.tick_seconds) == (4, 8, 11)


def test_an_unknown_variable_is_refused_by_name_with_the_nearest_one() -> None:
    with pytest.raises(UnknownSettingError, match=r"WATTLEDGER_LISTEN_PROT .*_LISTEN_PORT\?"):
        load_settings({"WATTLEDGER_LISTEN_PROT": "1"})


def test_an_unknown_name_in_the_file_is_refused_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('databse_url = "postgresql:///x"\n')

    with pytest.raises(UnknownSettingError) as refused:
        load_settings({}, config=path)

    assert str(path) in str(refused.value)
    assert "did you mean database_url?" in str(refused.value)


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"WATTLEDGER_PARTITIONS": "many"}, id="a number must be one"),
        pytest.param({"WATTLEDGER_PARTITIONS": "0"}, id="a number has a range"),
        pytest.param({"WATTLEDGER_LOG_LEVEL": "loud"}, id="a word must be known"),
        pytest.param({"WATTLEDGER_TLS_PORT": "9443"}, id="TLS needs a certificate"),
        pytest.param({"WATTLEDGER_FILES_URL": "ftp://files"}, id="files go over HTTP"),
        *(
            pytest.param({"WATTLEDGER_CONSOLE_URL": url}, id=f"{url} is no origin")
            for url in (
                "desk.example",
                "ftp://desk.example",
                "https://",
                "https://desk.example/console",
                "https://desk.example?x",
                "https://a@desk.example",
                "https://Desk.example",
                "https://desk.example:443",
                "http://desk.example:80",
                "https://desk.example:port",
                "https://säule.example",
                "https://desk.example\n",
            )
        ),
        pytest.param({"WATTLEDGER_TRUSTED_PROXIES": "*"}, id="nobody believes everybody"),
        pytest.param({"WATTLEDGER_TRUSTED_PROXIES": "10.0.0.1/8"}, id="a network has no host"),
        pytest.param({"WATTLEDGER_WEBHOOK_NETWORKS": "lan"}, id="a network has an address"),
        pytest.param({"WATTLEDGER_FILE_MB_MAX": "257"}, id="a station's files have room for one"),
        pytest.param({"WATTLEDGER_STRIPE_KEY": "pk_test_x"}, id="a payer's key is not ours"),
        pytest.param({"WATTLEDGER_STRIPE_KEY": "sk_test_x\n"}, id="a key bears no line break"),
        pytest.param(
            {"WATTLEDGER_STRIPE_KEY": "sk_test_x", "WATTLEDGER_STRIPE_WEBHOOK_SECRET": "whsec_"},
            id="a secret is more than its name",
        ),
        pytest.param(
            {"WATTLEDGER_STRIPE_KEY": "sk_test_x", "WATTLEDGER_STRIPE_WEBHOOK_SECRET": ","},
            id="a comma is no secret",
        ),
        pytest.param({"WATTLEDGER_STRIPE_WEBHOOK_SECRET": "whsec_x"}, id="a secret wants a key"),
        pytest.param({"WATTLEDGER_STRIPE_URL": "http://stripe.example"}, id="a key in the clear"),
        pytest.param({"WATTLEDGER_STRIPE_URL": "https://u:p@x"}, id="an address bears no user"),
        pytest.param(
            {
                "WATTLEDGER_STRIPE_KEY": "sk_live_x",
                "WATTLEDGER_STRIPE_PUBLISHABLE_KEY": "pk_test_x",
            },
            id="two keys of one mode",
        ),
        pytest.param(
            {"WATTLEDGER_STRIPE_KEY": "sk_test_x", "WATTLEDGER_STRIPE_WEBHOOK_SECRET": "sk_test_x"},
            id="a secret is no key",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(BadSettingError):
        load_settings(environment)


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        ({"kafka_certificate_file": "c", "kafka_ca_file": "ca"}, "kafka_key_file"),
        ({"kafka_key_file": "k", "kafka_ca_file": "ca"}, "kafka_certificate_file"),
        ({"kafka_certificate_file": "c", "kafka_key_file": "k"}, "kafka_ca_file"),
        ({"kafka_sasl_mechanism": "PLAIN", "kafka_sasl_user": "u"}, "kafka_sasl_password"),
        ({"kafka_sasl_mechanism": "PLAIN", "kafka_sasl_password": "p"}, "kafka_sasl_user"),
        ({"kafka_sasl_user": "u"}, "kafka_sasl_mechanism"),
        ({"kafka_sasl_password": "p"}, "kafka_sasl_mechanism"),
    ],
)
def test_half_of_a_way_to_prove_who_we_are_is_refused(given: dict[str, str], lacking: str) -> None:
    with pytest.raises(BadSettingError, match=f"{lacking} must be set where"):
        load_settings({f"WATTLEDGER_{name.upper()}": value for name, value in given.items()})


def test_no_message_and_no_trace_shows_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("kafka_sasl_password = 8153724\n")
    with pytest.raises(BadSettingError, match="kafka_sasl_password must be a text") as refused:
        load_settings({}, config=path)
    settings = Settings(
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_user="u",
        kafka_sasl_password="hidden",
        database_url="host=db password=hidden",
    )

    assert "8153724" not in str(refused.value)
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize("content", ['partitions = "8"', "data = 'elsewhere'", "partitions = 8.0"])
def test_the_file_s_types_are_not_guessed(tmp_path: Path, content: str) -> None:
    (tmp_path / "wattledger.toml").write_text(content)

    with pytest.raises(BadSettingError):
        load_settings({}, data=tmp_path)


def test_a_file_that_is_no_toml_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("partitions 8")

    with pytest.raises(DeployError, match=r"broken\.toml"):
        load_settings({}, config=path)


def test_the_table_has_a_row_for_every_setting() -> None:
    table = settings_table().splitlines()

    assert [row.split("`")[1] for row in table[2:]] == list(NAMES)


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ({}, ""),
        ({"files_port": 0}, ""),
        ({"files_port": 9443}, "http://127.0.0.1:9443"),
        ({"files_port": 9443, "files_host": "::1"}, "http://[::1]:9443"),
        ({"files_port": 9443, "tls_certificate": "c"}, "http://127.0.0.1:9443"),
        ({"files_port": 9443, "tls_certificate": "c", "tls_key": "k"}, "https://127.0.0.1:9443"),
        ({"files_url": "https://files.example/x"}, "https://files.example/x"),
        ({"files_port": 9443, "files_url": "https://files.example"}, "https://files.example"),
    ],
)
def test_stations_reach_files_where_it_is_said(given: dict[str, Any], base: str) -> None:
    assert Settings(**given).files_base == base


@pytest.mark.parametrize("name", ["stripe_key", "stripe_publishable_key", "stripe_webhook_secret"])
def test_what_is_secret_is_in_no_message_and_no_trace(name: str) -> None:
    secret = "pk_live_secret" if name == "stripe_key" else "sk_live_secret"
    given = {"WATTLEDGER_STRIPE_KEY": "sk_test_x", f"WATTLEDGER_{name.upper()}": secret}

    with pytest.raises(BadSettingError) as refused:
        load_settings(given)

    assert name in str(refused.value)
    assert secret not in str(refused.value)
    assert "sk_test_x" not in repr(Settings(stripe_key="sk_test_x"))


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ({}, ""),
        ({"console_url": "https://desk.example/"}, "https://desk.example"),
        ({"console_url": "http://desk.example:8080"}, "http://desk.example:8080"),
        ({"console_url": "http://[::1]:8080"}, "http://[::1]:8080"),
        ({"documents_url": "https://Säule.example:443/post"}, "https://xn--sule-loa.example"),
        ({"documents_url": "https://post.example", "console_url": "http://desk"}, "http://desk"),
    ],
)
def test_the_console_is_where_browsers_say_that_it_is(given: dict[str, Any], origin: str) -> None:
    settings = Settings(**given)

    assert settings.console_origin == origin
    assert settings.console_at("http://127.0.0.1:1") == (origin or "http://127.0.0.1:1")
    assert settings.console_at("") == ""
