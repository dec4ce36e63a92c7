"""A parent and a computed table for every key type that DataJoint itself round-trips, and one of them all together."""

import datetime
import decimal
import os
import uuid

import datajoint as dj

schema = dj.Schema()

TYPES = {
    "integer": ("int32", [0, -7, 83, 2147483647]),
    "long": ("int64", [2**62, -1]),
    "text": ("varchar(40)", ["it's", 'say "hi"', "50% (%s)", "a:b", ":name", "", "-- #", "ünï ☃", "0123", "true"]),
    "fixed": ("char(4)", ["abcd", "it's"]),
    "day": ("date", [datetime.date(2024, 2, 29), datetime.date(1999, 12, 31)]),
    "amount": ("decimal(6,2)", [decimal.Decimal("1.50"), decimal.Decimal("-1234.05"), decimal.Decimal(0)]),
    "instant": ("datetime", [datetime.datetime(2024, 1, 31, 18, 30, 1), datetime.datetime(2024, 1, 31)]),
    "millis": ("datetime(3)", [datetime.datetime(2024, 1, 31, 18, 30, 1, 250000)]),
    "ident": ("uuid", [uuid.UUID(int=1), uuid.UUID("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")]),
    "kind": ("enum('left','it''s right','a:b')", ["left", "it's right", "a:b"]),
    "tiny": ("int8", [0, 1, -128]),
    "whole": ("int unsigned", [0, 4294967295]),
    "backslash": ("varchar(20)", ["a\\b", "\\'", "\\\\%"]),
}
"""Attribute name to type and values."""

MYSQL_ONLY = ("instant", "millis", "ident", "kind", "tiny", "whole", "backslash")
"""DataJoint 2.3.5 on PostgreSQL makes no jobs table for these, or does not find the row again."""


def names(backend):
    return [name for name in TYPES if backend == "mysql" or name not in MYSQL_ONLY]


def activate(name, connection=None):
    schema.activate(name, connection=connection)
    usable = names(schema.connection.adapter.backend)
    for attribute in usable:
        rows = [{attribute: value} for value in TYPES[attribute][1]]
        _declare(attribute.capitalize(), f"{attribute} : {TYPES[attribute][0]}", rows)
    longest = max(len(TYPES[attribute][1]) for attribute in usable)
    rows = [{a: TYPES[a][1][n % len(TYPES[a][1])] for a in usable} for n in range(longest)]
    _declare("All", "\n".join(f"{a} : {TYPES[a][0]}" for a in usable), rows)


def _declare(name, definition, rows):
    parent = type(name, (dj.Manual,), {"definition": definition, "__module__": __name__})
    globals()[name] = schema(parent, context=globals())
    parent.insert(rows, skip_duplicates=True)
    made = {"definition": f"-> {name}", "make": lambda self, key: self.insert1(key), "__module__": __name__}
    globals()[f"{name}Made"] = schema(type(f"{name}Made", (dj.Computed,), made), context=globals())


if "PIPELINE_SCHEMA" in os.environ:
    activate(os.environ["PIPELINE_SCHEMA"])
