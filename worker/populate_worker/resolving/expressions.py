"""DataJoint's query expressions as plain SQL, for which it has no public interface."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

import datajoint as dj
from datajoint.condition import make_condition
from datajoint.errors import DataJointError
from datajoint.expression import QueryExpression
from populate_jobs.errors import ResolveRefused

from .locate import database_reason
from .refusals import end_of_traceback


def key_source(table: Any, path: str, attributes: Sequence[str]) -> QueryExpression:
    """The expression that gives the keys of `table`; refused where it does not give the jobs table's attributes."""
    source = _evaluated(table, path)
    strangers = [name for name in source.primary_key if name not in table.heading]
    if strangers:
        raise _invalid(path, f"has key attributes that the table lacks: {', '.join(strangers)}; project them away")
    missing = [name for name in attributes if name not in source.primary_key]
    if missing:
        raise _invalid(
            path,
            f"lacks key attributes of the jobs table: {', '.join(missing)} "
            f"(it gives {', '.join(source.primary_key) or 'none'}); join the tables that have them",
        )
    return source


def _evaluated(table: Any, path: str) -> QueryExpression:
    try:
        source = table.key_source
        source = source() if inspect.isclass(source) else source
    except Exception as error:
        reason = database_reason(error) or "KeySourceInvalid"
        raise ResolveRefused(
            reason,
            f"key_source of {path} failed with {type(error).__name__}: {error}",
            traceback=end_of_traceback(error),
        ) from error
    if not isinstance(source, QueryExpression):
        raise _invalid(path, f"is {type(source).__name__}, not a query: return an expression such as Session & 'n > 0'")
    return source


def _invalid(path: str, problem: str) -> ResolveRefused:
    return ResolveRefused("KeySourceInvalid", f"key_source of {path} {problem}")


def restricted(expression: QueryExpression, conditions: Sequence[str]) -> QueryExpression:
    """The expression under conditions in plain SQL.

    DataJoint's own parser of string restrictions refuses valid SQL (`true`, a subquery), so it is given a condition
    without names: that makes it use a subquery wherever it would for one with names.
    """
    for condition in conditions:
        expression = expression & "TRUE"
        expression.restriction[-1] = condition.replace("%", "%%")
        expression.restriction_attributes.update(expression.primary_key)
    return expression


def select(expression: QueryExpression, attributes: Sequence[str]) -> str:
    """SELECT of these key attributes, each combination once."""
    sql = plain(expression.proj().make_sql())
    if set(expression.primary_key) == set(attributes):
        return sql
    return f"SELECT DISTINCT {columns(expression, attributes)} FROM ({sql}) AS k"


def semijoin(keys: QueryExpression, attributes: Sequence[str], other: QueryExpression) -> str:
    """The condition that `other` has the attributes it shares with the key; raises DataJointError on other lineages."""
    return plain(make_condition(dj.U(*attributes) & keys, other, set()))


def plain(sql: str) -> str:
    """Without the doubling of percent signs, exactly as the driver undoes it."""
    try:
        return sql % ()
    except (TypeError, ValueError) as error:
        raise DataJointError(f"a percent sign in an expression of key_source must be doubled: {sql}") from error


def columns(expression: QueryExpression, attributes: Sequence[str]) -> str:
    return ", ".join(expression.connection.adapter.quote_identifier(name) for name in attributes)


def tables_read(sql: str, adapter: Any) -> tuple[str, ...]:
    """Full names of the tables in FROM and JOIN clauses; with a part table its master, which fills it."""
    names = {
        adapter.make_full_table_name(*(part.strip('`"') for part in found))
        for found in _TABLE.findall(_LITERAL[adapter.backend].sub("''", sql))
    }
    masters = {adapter.get_master_table_name(name) for name in names}
    return tuple(sorted(names | (masters - {None})))


_LITERAL = {"mysql": re.compile(r"'(?:[^'\\]|''|\\.)*'"), "postgresql": re.compile(r"'(?:[^']|'')*'")}
_NAME = r'(`[^`]+`|"[^"]+"|\w+)'
_TABLE = re.compile(rf"\b(?:FROM|JOIN)[\s(]+{_NAME}\s*\.\s*{_NAME}", re.IGNORECASE)
