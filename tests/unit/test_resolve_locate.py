"""Import paths: what is found, and what is said when nothing is."""

import sys
import textwrap
from pathlib import Path

import datajoint as dj
import pytest
from populate_jobs.errors import ResolveRefused
from populate_worker.resolving.locate import import_auto_populated, import_table

MODULE = """
    import datajoint as dj
    from datajoint import Computed

    schema = dj.Schema()
    LIMIT = 3

    @schema
    class Recording(dj.Manual):
        definition = "recording : int32"

    @schema
    class Device(dj.Lookup):
        definition = "device : int32"

    @schema
    class HeartRate(Computed):
        definition = "-> Recording"
        def make(self, key): ...
        class Beat(dj.Part):
            definition = "-> master"

    @schema
    class Summary(dj.Imported):
        definition = "-> Recording"
        def make_fetch(self, key): ...
        def make_compute(self, key): ...
        def make_insert(self, key): ...

    @schema
    class Unmade(dj.Computed):
        definition = "-> Recording"

    class Group:
        HeartRate = HeartRate
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """On sys.path: a package `clinic`, with the tables in `clinic.cardio` and again in `clinic` itself."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "clinic"
    package.mkdir()
    (package / "cardio.py").write_text(textwrap.dedent(MODULE))
    (package / "__init__.py").write_text("")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def activated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if some import had activated every schema."""
    monkeypatch.setattr(dj.Table, "database", "lab")


def refusal(path: str) -> ResolveRefused:
    with pytest.raises(ResolveRefused) as caught:
        import_auto_populated(path)
    return caught.value


@pytest.mark.usefixtures("activated")
@pytest.mark.parametrize(
    "path", ["clinic.cardio.HeartRate", "clinic.cardio.Summary", "clinic.cardio.Group.HeartRate", "clinic.HeartRate"]
)
def test_a_computed_or_imported_class_is_found_in_module_package_and_namespace(folder, path):
    (folder / "clinic" / "__init__.py").write_text("from .cardio import HeartRate")
    assert import_auto_populated(path).__name__ == path.rpartition(".")[2]


@pytest.mark.usefixtures("activated")
def test_folders_without_init_files_and_members_imported_when_asked_for_are_found(folder):
    (folder / "ward").mkdir()
    (folder / "ward" / "first").mkdir()
    (folder / "ward" / "first" / "tables.py").write_text("from clinic.cardio import HeartRate")
    lazy = "def __getattr__(name):\n    import clinic.cardio\n    return getattr(clinic.cardio, name)"
    (folder / "lazy.py").write_text(lazy)
    assert import_auto_populated("ward.first.tables.HeartRate") is import_auto_populated("lazy.HeartRate")


def test_a_member_that_fails_when_asked_for_is_an_import_that_failed(folder):
    (folder / "lazy.py").write_text("def __getattr__(name):\n    import nothing_installed")
    refused = refusal("lazy.HeartRate")
    assert refused.reason == "ImportFailed"
    assert "importing lazy.HeartRate failed with ModuleNotFoundError: No module named 'nothing_ins" in str(refused)


@pytest.mark.usefixtures("activated")
@pytest.mark.parametrize("path", ["clinic.cardio.Recording", "clinic.cardio.HeartRate.Beat", "clinic.cardio.Device"])
def test_a_table_of_any_tier_can_restrict(path):
    assert import_table(path).__name__ == path.rpartition(".")[2]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("path", "reason", "message"),
    [
        ("HeartRate", "TableNotFound", "'HeartRate' is no import path: it must read like package.module.Class"),
        ("clinic.cardio:HeartRate", "TableNotFound", "no import path"),
        ("clinic..HeartRate", "TableNotFound", "no import path"),
        ("clinik.cardio.HeartRate", "ModuleNotFound", "no module clinik (did you mean clinic?): install it"),
        ("clinic.cardo.HeartRate", "ModuleNotFound", "no module clinic.cardo (did you mean cardio?)"),
        ("clinic.cardio.HeartRat", "TableNotFound", "clinic.cardio has no HeartRat (did you mean HeartRate?); "),
        ("clinic.cardio.Nothing", "TableNotFound", "auto-populated tables there: HeartRate, Summary, Unmade"),
        ("clinic.Nothing", "TableNotFound", "clinic has no Nothing; auto-populated tables there: none"),
        ("clinic.cardio", "TableNotFound", "clinic.cardio is a module, not a DataJoint table class; auto-populated"),
        ("clinic.cardio.LIMIT", "TableNotFound", "clinic.cardio.LIMIT is an int, not a DataJoint table class"),
        ("clinic.cardio.Recording", "NotAutoPopulated", "clinic.cardio.Recording is a Manual table: only Computed and"),
        ("clinic.cardio.Device", "NotAutoPopulated", "is a Lookup table"),
        ("clinic.cardio.HeartRate.Beat", "NotAutoPopulated", "a Part table: name its master, clinic.cardio.HeartRate"),
        ("clinic.cardio.Unmade", "MakeMissing", "clinic.cardio.Unmade has no make method"),
        ("clinic.cardio.HeartRate", "SchemaNotActivated", "have that schema activated whenever clinic.cardio is imp"),
    ],
)
def test_what_is_not_there_is_refused_with_what_to_do(path, reason, message):
    refused = refusal(path)
    assert refused.reason == reason
    assert message in str(refused)


@pytest.mark.parametrize(
    ("code", "message", "last"),
    [
        ("import clinic.nothing", "ModuleNotFoundError: No module named 'clinic.nothing'", "ModuleNotFoundError"),
        ("import nothing_installed", "ModuleNotFoundError: No module named 'nothing_installed'", "ModuleNotFoundError"),
        ("from clinic import nothing", "ImportError: cannot import name 'nothing'", "ImportError"),
        ("1 / 0", "ZeroDivisionError: division by zero", "ZeroDivisionError: division by zero"),
        ("def f(:", "SyntaxError: invalid syntax", "SyntaxError"),
        ("import sys; sys.exit('usage: run me')", "SystemExit: usage: run me", "SystemExit: usage: run me"),
    ],
)
def test_a_module_that_fails_is_refused_with_the_end_of_its_traceback(folder, code, message, last):
    (folder / "clinic" / "broken.py").write_text(code)
    refused = refusal("clinic.broken.HeartRate")
    assert refused.reason == "ImportFailed"
    assert f"importing clinic.broken failed with {message}" in str(refused)
    assert "clinic/broken.py" in refused.traceback.splitlines()[0 if last == "SyntaxError" else 1]
    assert refused.traceback.splitlines()[-1].startswith(last)


OF_THE_DRIVERS = """
import psycopg2.errors, pymysql
from datajoint.errors import *


def of_postgresql(state):
    error = psycopg2.errors.lookup(state)("said by the server")
    error.__setstate__({"pgcode": state})
    return error


"""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("AccessError('Insufficient privileges.')", "MissingGrant"),
        ("LostConnectionError('gone')", "DatabaseUnreachable"),
        ("pymysql.OperationalError(2013, 'Lost connection to MySQL server during query')", "DatabaseUnreachable"),
        ("pymysql.OperationalError(1040, 'Too many connections')", "DatabaseUnreachable"),
        ("pymysql.OperationalError(1045, 'Access denied')", "LoginRefused"),
        ("pymysql.OperationalError(1021, 'Disk full')", "DatabaseUnreachable"),
        ("pymysql.OperationalError(1213, 'Deadlock found')", "ImportFailed"),
        ("psycopg2.OperationalError('server closed the connection unexpectedly')", "DatabaseUnreachable"),
        ("psycopg2.OperationalError('password authentication failed for user lab')", "LoginRefused"),
        ("psycopg2.OperationalError('FATAL:  role \"x\" does not exist')", "LoginRefused"),
        ("psycopg2.OperationalError('FATAL:  database \"nope\" does not exist')", "LoginRefused"),
        ("of_postgresql('08006')", "DatabaseUnreachable"),
        ("of_postgresql('57P01')", "DatabaseUnreachable"),
        ("of_postgresql('25P03')", "DatabaseUnreachable"),
        ("of_postgresql('53100')", "DatabaseUnreachable"),
        ("of_postgresql('28P01')", "LoginRefused"),
        ("of_postgresql('57014')", "ImportFailed"),
        ("of_postgresql('40P01')", "ImportFailed"),
        ("of_postgresql('55P03')", "ImportFailed"),
        ("of_postgresql('42P01')", "ImportFailed"),
        ("DataJointError('no foreign key')", "ImportFailed"),
    ],
)
def test_an_import_that_the_database_stops_says_so(folder, error, reason):
    code = f"{OF_THE_DRIVERS}try:\n    raise {error}\nexcept Exception:\n    raise DataJointError('no')"
    (folder / "clinic" / "broken.py").write_text(code)
    refused = refusal("clinic.broken.HeartRate")
    assert refused.reason == reason
    assert "importing clinic.broken failed with DataJointError: no" in str(refused)


def test_a_long_traceback_is_cut_to_its_end(folder):
    (folder / "clinic" / "broken.py").write_text("def f(n):\n    return f(n - 1) if n else [][0]\n" + "f(30)\n")
    lines = refusal("clinic.broken.HeartRate").traceback.splitlines()
    assert len(lines) <= 20
    assert lines[-1] == "IndexError: list index out of range"
