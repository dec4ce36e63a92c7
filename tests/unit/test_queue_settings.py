"""Logins from Secrets, folders and environments; what is wrong with one is said by name."""

from pathlib import Path

import pytest
from populate_jobs import DatabaseSettings
from populate_jobs.errors import SettingsError

LEAST = {"host": "db.lab", "user": "anna", "password": "s3cret"}
FULL = DatabaseSettings("db.lab", "anna", "s3cret", "postgresql", 6543, "science", "verify-full", "-----BEGIN")


def test_the_least_secret_is_a_mysql_at_its_port_encrypted_where_it_can_be() -> None:
    settings = DatabaseSettings.from_secret(LEAST)
    assert (settings.backend, settings.port, settings.tls) == ("mysql", 3306, "preferred")


def test_postgresql_has_a_port_of_its_own() -> None:
    assert DatabaseSettings.from_secret({**LEAST, "backend": "postgresql"}).port == 5432


def test_a_secret_may_use_datajoints_variables() -> None:
    data = {"DJ_HOST": "db.lab", "DJ_USER": "anna", "DJ_PASS": "s3cret", "DJ_PORT": "3307"}
    assert DatabaseSettings.from_secret(data).port == 3307


def test_what_goes_to_an_environment_comes_back_from_it() -> None:
    for settings in (FULL, DatabaseSettings.from_secret(LEAST)):
        assert DatabaseSettings.from_environment(settings.to_environment()) == settings


def test_a_mounted_secret_is_read_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    for name, value in LEAST.items():
        (tmp_path / name).write_text(f"{value}\n")
    assert DatabaseSettings.from_folder(tmp_path) == DatabaseSettings.from_secret(LEAST)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        DatabaseSettings.from_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("missing", LEAST)
def test_what_a_secret_lacks_is_named(missing: str) -> None:
    data = {key: value for key, value in LEAST.items() if key != missing}
    with pytest.raises(SettingsError, match=f"Secret lab/datajoint lacks {missing}"):
        DatabaseSettings.from_secret(data, source="Secret lab/datajoint")


def test_an_empty_environment_names_all_that_is_missing() -> None:
    with pytest.raises(SettingsError, match="the environment lacks DJ_HOST, DJ_USER, DJ_PASS "):
        DatabaseSettings.from_environment({})


@pytest.mark.parametrize("port", ["0", "65536", "-1", "33o6", "3306 ", "٣٣٠٦", "1" * 5000])
def test_a_port_that_is_none_is_refused_with_what_is_allowed(port: str) -> None:
    with pytest.raises(SettingsError, match="port must be a number from 1 to 65535"):
        DatabaseSettings.from_secret({**LEAST, "port": port})


@pytest.mark.parametrize(("field", "value"), [("backend", "oracle"), ("tls", "maybe")])
def test_an_unknown_choice_is_refused_with_what_is_allowed(field: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{field}: must be one of"):
        DatabaseSettings.from_secret({**LEAST, field: value})


def test_the_password_is_not_shown() -> None:
    assert "s3cret" not in repr(FULL)
    assert "BEGIN" not in repr(FULL)


@pytest.mark.parametrize("key", ["port", "backend", "tls"])
def test_a_value_that_cannot_be_used_is_not_told_to_who_may_not_read_it(key: str) -> None:
    with pytest.raises(SettingsError, match=f"{key}.* must be|{key}: must be") as caught:
        DatabaseSettings.from_secret({**LEAST, key: "canary"})
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_of_a_mounted_secret_only_the_login_is_read(tmp_path: Path) -> None:
    for name, value in {**LEAST, "keytab": "\udcff"}.items():
        (tmp_path / name).write_bytes(value.encode(errors="surrogateescape"))
    assert DatabaseSettings.from_folder(tmp_path) == DatabaseSettings.from_secret(LEAST)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *[("TLS", "tls"), ("tsl", "tls"), ("ssl", "tls"), ("DJ_TLS", "tls"), ("tls ", "tls"), ("ca.cert", "ca.crt")],
        *[("Backend", "backend"), ("databse", "database"), ("Host", "host"), ("passwd", "password"), ("PORT", "port")],
    ],
)
def test_a_misspelt_key_is_no_key_left_out(written: str, meant: str) -> None:
    data = {key: value for key, value in LEAST.items() if key != meant}
    with pytest.raises(SettingsError, match=f"looks like {meant}, but is not written so: rename it to {meant}$"):
        DatabaseSettings.from_secret({**data, written: "verify-full"})


def test_a_misspelt_key_of_a_mounted_secret_is_told(tmp_path: Path) -> None:
    for name, value in {**LEAST, "TLS": "required"}.items():
        (tmp_path / name).write_text(value)
    with pytest.raises(SettingsError, match="looks like tls"):
        DatabaseSettings.from_folder(tmp_path)


@pytest.mark.parametrize(
    "others",
    [
        ["dbname", "fqdn-uri", "jdbc-uri", "pgpass", "uri", "username"],
        ["endpoint", "attribute.username", "connection_string"],
        ["ca.key", "tls.crt", "tls.key", "truststore.p12", "sslmode"],
        ["hosts", "users", "passwd"],
    ],
    ids=["CloudNativePG", "Crossplane", "cert-manager", "beside the right ones"],
)
def test_keys_that_others_use_may_be_there(others: list[str]) -> None:
    data = {**LEAST, **dict.fromkeys(others, "theirs")}
    assert DatabaseSettings.from_secret(data) == DatabaseSettings.from_secret(LEAST)
