"""From an import path such as `cardio.HeartRate` to the class, or to a refusal that says what there is instead."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from types import ModuleType
from typing import Any

import datajoint as dj
import pymysql
from datajoint.errors import AccessError, LostConnectionError
from populate_jobs import mysql, sqlstate
from populate_jobs.errors import DatabaseUnreachable, LoginRefused, PopulateError, ResolveRefused

from .refusals import end_of_traceback

NAMES_LISTED = 20


def import_auto_populated(path: str) -> type[Any]:
    """The Computed or Imported class at `path`, with a make and in an activated schema."""
    found = _import_class(path)
    if not _is_auto_populated(found):
        raise ResolveRefused("NotAutoPopulated", _tier_message(path, found))
    if not _has_make(found):
        raise ResolveRefused(
            "MakeMissing",
            f"{path} has no make method: define make(self, key) in it, or where it is a virtual module's copy name the "
            f"class that defines it",
        )
    return _activated(path, found)


def import_table(path: str) -> type[Any]:
    """The DataJoint table class at `path`, of any tier, in an activated schema."""
    return _activated(path, _import_class(path))


def _import_class(path: str) -> type[Any]:
    found = _import(path)
    if _is_table(found):
        table: type[Any] = found
        return table
    instead = _instead(found) if isinstance(found, ModuleType) else ""
    raise ResolveRefused(
        "TableNotFound", f"{path} is {_article(type(found).__name__)}, not a DataJoint table class{instead}"
    )


def _activated(path: str, table: type[Any]) -> type[Any]:
    if table.database is None:
        raise ResolveRefused(
            "SchemaNotActivated",
            f"{path} belongs to no activated schema: decorate it with a dj.Schema, and have that schema activated "
            f"whenever {path.rpartition('.')[0]} is imported",
        )
    return table


def _import(path: str) -> Any:
    names = path.split(".")
    if len(names) < 2 or not all(name.isidentifier() for name in names):
        raise ResolveRefused("TableNotFound", f"{path!r} is no import path: it must read like package.module.Class")
    found: Any = _import_module(names[0])
    for position, name in enumerate(names[1:], start=1):
        parent, child = ".".join(names[:position]), ".".join(names[: position + 1])
        try:
            if not hasattr(found, name) and hasattr(found, "__path__") and importlib.util.find_spec(child):
                _import_module(child)
            found = getattr(found, name)
        except AttributeError:
            raise _not_found(found, parent, names[position:]) from None
        except ResolveRefused:
            raise
        except Exception as error:  # of a module that imports its members when they are asked for
            raise _import_failed(child, error) from error
    return found


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise ResolveRefused("ModuleNotFound", _no_module(name, _top_level_names())) from error
        raise _import_failed(name, error) from error
    except (Exception, SystemExit) as error:
        raise _import_failed(name, error) from error


def _import_failed(name: str, error: BaseException) -> ResolveRefused:
    return ResolveRefused(
        database_reason(error) or "ImportFailed",
        f"importing {name} failed with {type(error).__name__}: {error}",
        traceback=end_of_traceback(error),
    )


def database_reason(error: BaseException | None) -> str | None:
    """The reason where DataJoint's error, or one behind it, is the database's doing and not the code's."""
    while error is not None:
        if isinstance(error, AccessError):
            return "MissingGrant"
        if isinstance(error, LostConnectionError):
            return "DatabaseUnreachable"
        meant = _of_a_driver(error)
        if isinstance(meant, (DatabaseUnreachable, LoginRefused)):
            return type(meant).__name__
        error = error.__cause__ or error.__context__
    return None


def _of_a_driver(error: BaseException) -> PopulateError | None:
    """What the drivers' own errors mean, which come through where DataJoint opens a session."""
    if isinstance(error, pymysql.err.OperationalError):
        return mysql.translate(error)
    psycopg2 = sys.modules.get("psycopg2")
    if psycopg2 is not None and isinstance(error, psycopg2.Error):
        of_connection = isinstance(error, psycopg2.OperationalError)
        return sqlstate.meaning(error.pgcode, str(error), of_connection=of_connection)
    return None


def near(name: str, names: list[str]) -> str:
    """` (did you mean X?)`, or nothing where no name is like it."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    return f" (did you mean {close[0]}?)" if close else ""


def _not_found(parent: Any, parent_path: str, missing: list[str]) -> ResolveRefused:
    name = missing[0]
    if len(missing) > 1 and hasattr(parent, "__path__"):
        submodules = [info.name for info in pkgutil.iter_modules(parent.__path__)]
        return ResolveRefused("ModuleNotFound", _no_module(f"{parent_path}.{name}", submodules))
    return ResolveRefused(
        "TableNotFound", f"{parent_path} has no {name}{near(name, _auto_populated_in(parent))}{_instead(parent)}"
    )


def _instead(parent: Any) -> str:
    names = _auto_populated_in(parent)
    listed = ", ".join(names[:NAMES_LISTED]) + (", ..." if len(names) > NAMES_LISTED else "")
    return f"; auto-populated tables there: {listed or 'none'}"


def _auto_populated_in(parent: Any) -> list[str]:
    return [name for name, value in vars(parent).items() if _is_table(value) and _is_auto_populated(value)]


def _no_module(name: str, names: list[str]) -> str:
    return (
        f"there is no module {name}{near(name.rpartition('.')[2], names)}: "
        f"install it in the worker's image (on one machine: in this environment, or have it beside the manifest), "
        f"or set PYTHONPATH to where it is"
    )


def _top_level_names() -> list[str]:
    return [info.name for info in pkgutil.iter_modules()]


def _is_table(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, dj.Table)


def _is_auto_populated(table: type[Any]) -> bool:
    tiers = (dj.Computed, dj.Imported)
    return issubclass(table, tiers) and table not in tiers


def _has_make(table: type[Any]) -> bool:
    tripartite = ("make_fetch", "make_compute", "make_insert")
    return table.make is not dj.AutoPopulate.make or all(hasattr(table, name) for name in tripartite)


def _tier_message(path: str, table: type[Any]) -> str:
    tiers = (dj.Manual, dj.Lookup, dj.Part)
    tier = next((tier.__name__ for tier in tiers if issubclass(table, tier)), "plain")
    master = path.rpartition(".")[0]
    instead = f"name its master, {master}" if tier == "Part" else "only Computed and Imported tables are populated"
    return f"{path} is {_article(tier)} table: {instead}"


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOUaeiou' else 'a'} {noun}"
