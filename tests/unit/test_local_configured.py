"""What is found of DataJoint's settings in files is what DataJoint finds itself."""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from populate_jobs.errors import SettingsError
from populate_operator.local.configured import FILE, SECRETS, SYSTEM_SECRETS, VARIABLES, Configured, configured

LAB = json.dumps({"database": {"host": "db.lab", "port": 3310}, "safemode": False})
OTHER = json.dumps({"database": {"host": "other.lab", "user": "somebody"}})
FLAT = json.dumps({"database.host": "flat.lab", "database.name": "lab", "database.use_tls": None})
BOTH = json.dumps({"database.host": "flat.lab", "database": {"host": "nested.lab", "user": "me"}})
EMPTY = json.dumps({"loglevel": "INFO"})


@dataclass(frozen=True)
class Layout:
    """Files below a folder, the folder in which somebody works, and the variables there."""

    files: Mapping[str, str]
    start: str = "."
    environ: Mapping[str, str] = field(default_factory=dict)


LAYOUTS = {
    "nothing": Layout({}),
    "beside": Layout({FILE: LAB}),
    "above": Layout({FILE: LAB}, "a/b"),
    "flat names": Layout({FILE: FLAT}),
    "both spellings": Layout({FILE: BOTH}),
    "no login in it": Layout({FILE: EMPTY}),
    "the nearest": Layout({FILE: OTHER, "a/datajoint.json": LAB}, "a/b"),
    "the nearest, without a login": Layout({FILE: OTHER, "a/datajoint.json": EMPTY}, "a/b"),
    "outside the repository": Layout({FILE: LAB, "a/.git/HEAD": ""}, "a/b"),
    "outside a worktree": Layout({FILE: LAB, "a/.git": "gitdir: elsewhere"}, "a/b"),
    "outside a repository of Mercurial's": Layout({FILE: LAB, "a/.hg/store": ""}, "a/b"),
    "at the top of the repository": Layout({"a/datajoint.json": LAB, "a/.git/HEAD": ""}, "a/b"),
    "a folder of that name": Layout({"a/datajoint.json/x": LAB, FILE: OTHER}, "a"),
    "variables before the file": Layout({FILE: LAB}, environ={"DJ_HOST": "env.lab", "DJ_USER": "me"}),
    "empty variables": Layout({FILE: OTHER}, environ={"DJ_HOST": "", "DJ_USER": ""}),
    "ignored": Layout({FILE: LAB}, environ={"DJ_IGNORE_CONFIG_FILE": "True"}),
    "not ignored": Layout({FILE: LAB}, environ={"DJ_IGNORE_CONFIG_FILE": "0"}),
    "secrets": Layout({FILE: LAB, ".secrets/database.user": "me\n", ".secrets/database.password": "secret\n"}),
    "secrets after the file": Layout({FILE: OTHER, ".secrets/database.user": "me"}, "a"),
    "secrets after variables": Layout({FILE: LAB, ".secrets/database.user": "me"}, environ={"DJ_USER": "you"}),
    "secrets where the file has null": Layout(
        {FILE: json.dumps({"database": {"user": None}}), ".secrets/database.user": "me"}
    ),
    "secrets beside no file": Layout({FILE: LAB, "a/.secrets/database.user": "me"}, "a"),
}


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Laid out, with its folder and its variables for ours."""
    found = LAYOUTS[request.param]
    for name, text in found.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / found.start).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / found.start)
    for name in (*VARIABLES.values(), "DJ_IGNORE_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in found.environ.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def read_anew(monkeypatch: pytest.MonkeyPatch) -> Callable[[], ModuleType]:
    return functools.partial(_read_anew, monkeypatch)


def _read_anew(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """DataJoint's settings as a program finds them that begins here and now."""
    there = importlib.util.find_spec("datajoint.settings")
    assert there
    assert there.origin
    spec = importlib.util.spec_from_file_location("datajoint.settings_of_a_test", there.origin)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no file
        spec.loader.exec_module(module)
    return module


def of_datajoint(config: Any) -> dict[str, str]:
    return {variable: str(config[name]) for name, variable in VARIABLES.items()}


def test_what_is_found_is_what_datajoint_finds(
    layout: Layout, read_anew: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = configured(Path.cwd(), layout.environ) or Configured(Path(), {})
    ours = {
        **found.variables,
        **{name: layout.environ[name] for name in VARIABLES.values() if layout.environ.get(name)},
    }
    theirs = of_datajoint(read_anew().config)
    monkeypatch.setenv("DJ_IGNORE_CONFIG_FILE", "1")
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    untold = of_datajoint(read_anew().config)
    assert {**untold, **ours} == theirs


def test_names_and_folders_are_those_of_datajoint(read_anew: Callable[[], ModuleType]) -> None:
    module = read_anew()
    assert (FILE, SECRETS) == (module.CONFIG_FILENAME, module.SECRETS_DIRNAME)
    assert SYSTEM_SECRETS == module.SYSTEM_SECRETS_DIR
    assert VARIABLES.items() <= module.ENV_VAR_MAPPING.items()


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_file_that_cannot_be_read_is_not_passed_over(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text, encoding="latin-1")
    with pytest.raises(SettingsError, match=r"datajoint\.json cannot be read"):
        configured(tmp_path, {})
