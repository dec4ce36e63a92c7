"""Which DataJoint is supported, and the reasons that errors of the queue get."""

from importlib import metadata
from pathlib import Path

import pytest
from populate_jobs.errors import DatabaseUnreachable, MissingGrant, ResolveRefused, ServerUnsuitable, SettingsError
from populate_worker.resolve import DATAJOINT, refuse_unsupported_datajoint
from populate_worker.resolving.refusals import as_refusal


@pytest.mark.parametrize("version", ["2.3.5", "2.3.6", "2.3.99"])
def test_supported_versions_of_datajoint_pass(monkeypatch, version):
    monkeypatch.setattr(metadata, "version", lambda name: version)
    refuse_unsupported_datajoint()


@pytest.mark.parametrize("version", ["0.14.4", "2.3.4", "2.4.0", "2.4.0rc1", "10.0", "0.0.0+unknown"])
def test_other_versions_are_refused_with_what_to_install(monkeypatch, version):
    monkeypatch.setattr(metadata, "version", lambda name: version)
    with pytest.raises(ResolveRefused, match=r"install 'datajoint>=2\.3\.5,<2\.4' in the worker image") as caught:
        refuse_unsupported_datajoint()
    assert caught.value.reason == "DataJointUnsupported"
    assert version in str(caught.value)


def test_a_missing_datajoint_is_refused(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(ResolveRefused, match="not installed") as caught:
        refuse_unsupported_datajoint()
    assert caught.value.reason == "DataJointMissing"


def test_the_supported_versions_are_those_that_the_package_asks_for():
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    first, last = (".".join(map(str, bound)) for bound in DATAJOINT)
    assert f'"datajoint>={first},<{last}"' in project


@pytest.mark.parametrize(
    ("error", "reason", "advice"),
    [
        (DatabaseUnreachable("timed out"), "DatabaseUnreachable", "timed out; check host, port"),
        (MissingGrant("CREATE command denied"), "MissingGrant", "CREATE command denied; grant the user SELECT"),
        (ServerUnsuitable("no SKIP LOCKED"), "ServerUnsuitable", "no SKIP LOCKED"),
        (SettingsError("port 'x'"), "DatabaseSettingsInvalid", "port 'x'"),
        (ResolveRefused("MissingGrant", "no CREATE", traceback="t"), "MissingGrant", "no CREATE; grant the user"),
    ],
)
def test_every_error_of_the_queue_becomes_a_reason_and_says_what_to_do(error, reason, advice):
    refusal = as_refusal(error)
    assert refusal.reason == reason
    assert str(refusal).startswith(advice)
    assert refusal.traceback == getattr(error, "traceback", "")
