"""Values of restrictBy against the types of key attributes."""

import pytest
from populate_worker.resolving.literals import literal


def quote(text: str) -> str:
    return f"<{text}>"


@pytest.mark.parametrize(
    ("type_", "value", "sql"),
    [
        ("int", 83, "83"),
        ("int32", -2147483648, "-2147483648"),
        ("integer", 0, "0"),
        ("int(11)", 7, "7"),
        ("bigint", 2**63 - 1, str(2**63 - 1)),
        ("int64", -(2**63), str(-(2**63))),
        ("bigint unsigned", 2**64 - 1, str(2**64 - 1)),
        ("smallint unsigned", 65535, "65535"),
        ("mediumint", 8388607, "8388607"),
        ("tinyint", -128, "-128"),
        ("tinyint", True, "1"),
        ("int8", False, "0"),
        ("year(4)", 2024, "2024"),
        ("varchar(4)", "0123", "<0123>"),
        ("char(4)", "it's", "<it's>"),
        ("varchar(2)", "", "<>"),
        ("varchar(1)", "☃", "<☃>"),
        ("enum('a','it''s','50% (x)')", "it's", "<it's>"),
        ("enum('a','it''s','50% (x)')", "50% (x)", "<50% (x)>"),
        ("date", "2024-02-29", "DATE <2024-02-29>"),
        ("datetime", "2024-01-31 18:30:01", "TIMESTAMP <2024-01-31 18:30:01>"),
        ("datetime", "2024-01-31T18:30", "TIMESTAMP <2024-01-31 18:30:00>"),
        ("timestamp", "2024-01-31", "TIMESTAMP <2024-01-31 00:00:00>"),
        ("datetime(3)", "2024-01-31 18:30:01.25", "TIMESTAMP <2024-01-31 18:30:01.25>"),
        ("datetime", "2024-01-31 18:30:01.000", "TIMESTAMP <2024-01-31 18:30:01>"),
        ("decimal(6,2)", "1.5", "1.5"),
        ("decimal(6,2)", "-1234.050", "-1234.050"),
        ("decimal(6,2)", 9999, "9999"),
        ("decimal(6,2)", "1E+3", "1000"),
        ("decimal(40,2)", "12345678901234567890123456789012345678.01", "12345678901234567890123456789012345678.01"),
        ("uuid", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", "X<f81d4fae7dec11d0a76500a0c91e6bf6>"),
    ],
)
def test_a_value_of_the_type_becomes_a_literal(type_, value, sql):
    assert literal(type_, value, quote) == sql


@pytest.mark.parametrize(
    ("type_", "value", "allowed"),
    [
        ("int", "83", "integer from -2147483648 to 2147483647, without quotes"),
        ("int", True, "integer"),
        ("int", 2**31, "integer"),
        ("int", 1.5, "integer"),
        ("int", None, "integer"),
        ("int unsigned", -1, "integer from 0 to 4294967295"),
        ("tinyint", 128, "integer from -128 to 127"),
        ("int16", 32768, "integer from -32768 to 32767"),
        ("year(4)", 99, "integer from 1901 to 2155"),
        ("varchar(4)", 123, "string, in quotes"),
        ("varchar(4)", "12345", "at most 4 characters"),
        ("enum('left','it''s right')", "lefty", r"one of 'left', \"it's right\"; did you mean 'left'\?"),
        ("enum('left','right')", "Left", "one of 'left', 'right'"),
        ("enum('left','right')", 1, "one of 'left', 'right'"),
        ("date", "2024-02-30", "date such as"),
        ("date", "20240229", "date such as"),
        ("date", "2024-W09-4", "date such as"),
        ("date", "2024-02-29 ", "date such as"),
        ("date", 20240229, "date such as"),
        ("datetime", "2024-01-31 25:00", "date and time .* to the second, without a time zone"),
        ("datetime", "2024-01-31 18:30:00Z", "without a time zone"),
        ("datetime", "2024-01-31 18:30:00+01:00", "without a time zone"),
        ("datetime", "2024-01-31 18:30:00.5", "to the second"),
        ("datetime(3)", "2024-01-31 18:30:00.1234", "at most 3 decimals of a second"),
        ("decimal(6,2)", "1.505", "at most 6 digits, 2 of them decimals"),
        ("decimal(6,2)", 10000, "at most 6 digits"),
        ("decimal(6,2)", "NaN", "number"),
        ("decimal(6,2)", "Infinity", "number"),
        ("decimal(6,2)", "1,5", "number"),
        ("decimal(6,2)", 1.5, "number"),
        ("decimal(6,2)", True, "number"),
        ("uuid", "f81d4fae", "uuid such as"),
        ("uuid", 1, "uuid such as"),
        ("float", "1.5", "cannot be given by value, since the type is float"),
        ("time", "10:00:00", "cannot be given by value"),
    ],
)
def test_any_other_value_is_refused_with_what_is_allowed(type_, value, allowed):
    with pytest.raises(ValueError, match=allowed):
        literal(type_, value, quote)
