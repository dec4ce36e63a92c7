"""What databases, images and Secrets say leads the operator nowhere, and goes no further than it should."""

from __future__ import annotations

import asyncio
import base64
import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from populate_jobs import DatabaseSettings
from populate_jobs.errors import SettingsError
from populate_operator.kube import claim, rousing
from populate_operator.kube.api import ClusterError, _path
from populate_operator.kube.secrets import _settings
from populate_operator.kube.store import Store
from populate_operator.text import UNPRINTABLE, one_line, printable

LABELS = {"datajoint.io/populatejob": "heart-rate", "datajoint.io/component": "assignment"}


# Secrets


def secret(**data: bytes) -> dict[str, Any]:
    return {"data": {key: base64.b64encode(value).decode() for key, value in data.items()}}


def test_what_a_secret_has_besides_the_login_is_not_read() -> None:
    found = secret(host=b"db", user=b"me", password=b"word", keytab=b"\xff\xfe")
    assert _settings(found, "datajoint") == DatabaseSettings("db", "me", "word")


def test_what_is_not_text_is_named_and_not_told() -> None:
    found = _settings(secret(host=b"db", user=b"me", password=b"canary\xff"), "datajoint")
    assert isinstance(found, SettingsError)
    assert str(found) == "the Secret datajoint: password is not text"
    assert found.__cause__ is None
    assert found.__suppress_context__


# Names


@pytest.mark.parametrize("name", ["../../other/secrets/login", "..", "a/log", "a?x=y", "A", "-a", "a\n", "a%2Fb", "é"])
def test_what_is_no_name_is_no_path(name: str) -> None:
    with pytest.raises(ClusterError) as refused:
        _path("Pod", "lab", name)
    assert refused.value.status == 404
    with pytest.raises(ClusterError):
        _path("Pod", name, "pod")


# What others own


class Cluster:
    """FAKE: holds one object, and takes what is applied."""

    def __init__(self, there: dict[str, Any] | None) -> None:
        self.there = there
        self.applied: list[Any] = []

    async def find(self, *_: str) -> dict[str, Any] | None:
        return self.there

    async def apply(self, wanted: Any) -> Any:
        self.applied.append(wanted)
        return wanted


def config_map(**labels: str) -> dict[str, Any]:
    metadata = {"name": "heart-rate-assignment", "namespace": "lab", "uid": "u", "labels": labels}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata}


def apply(there: dict[str, Any] | None, store: Store | None = None) -> list[Any]:
    cluster = Cluster(there)
    asyncio.run(claim.apply(cluster, store or Store(), config_map(**LABELS)))  # type: ignore[arg-type]
    return cluster.applied


@pytest.mark.parametrize("labels", [{}, {**LABELS, "datajoint.io/populatejob": "other"}])
def test_what_others_gave_the_name_is_left_alone(labels: dict[str, str]) -> None:
    with pytest.raises(claim.NameTaken, match="ConfigMap heart-rate-assignment") as refused:
        apply(config_map(**labels))
    assert refused.value.says_no


def test_its_own_and_what_is_not_there_is_applied() -> None:
    assert apply(None)
    assert apply(config_map(**LABELS))
    store = Store()
    store.put(config_map(**LABELS))
    assert apply(config_map(), store)


# Workers


@pytest.fixture
def server() -> Iterator[Callable[[type[http.server.BaseHTTPRequestHandler]], int]]:
    servers: list[http.server.ThreadingHTTPServer] = []

    def serve(handler: type[http.server.BaseHTTPRequestHandler]) -> int:
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return int(servers[-1].server_address[1])

    yield serve
    for each in servers:
        each.shutdown()
        each.server_close()


def test_a_worker_does_not_send_the_operator_elsewhere(
    server: Callable[[Any], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append("elsewhere")
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET

    class Worker(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(307)
            self.send_header("Location", f"http://127.0.0.1:{elsewhere}/")
            self.end_headers()

    elsewhere = server(Elsewhere)
    monkeypatch.setattr(rousing, "PORT", server(Worker))
    asyncio.run(rousing.rouse("127.0.0.1"))
    assert asked == ["/look"]


# Text


@pytest.mark.parametrize("harm", ["\x1b[2J", "\x07", "\x9b31m", "\u202e", "\r"])
def test_text_is_no_command_to_a_terminal(harm: str) -> None:
    shown = printable(f"a{harm}b\nc")
    assert shown.startswith(f"a{UNPRINTABLE}")
    assert shown.endswith("b\nc")


def test_one_line_is_one() -> None:
    assert one_line("a\n2026-01-01 ERROR forged\r\x85b") == "a 2026-01-01 ERROR forged b"


def test_words_of_any_language_stay() -> None:
    assert printable("Zürich 心拍 – ½ “x”\n") == "Zürich 心拍 – ½ “x”\n"
