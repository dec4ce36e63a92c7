"""A value of restrictBy as an SQL literal, checked against the type of its attribute."""

from __future__ import annotations

import datetime
import decimal
import difflib
import fractions
import re
import uuid
from collections.abc import Callable


def literal(type_: str, value: object, quote: Callable[[str], str]) -> str:
    """`quote` makes a string literal of the dialect; raises ValueError with what the type allows."""
    for pattern, checked, form in _TYPES:
        if match := re.fullmatch(pattern, type_, re.IGNORECASE):
            text = checked(value, **match.groupdict())
            return text if form == BARE else form + quote(text)
    raise ValueError(f"cannot be given by value, since the type is {type_}; use restriction, which takes SQL")


def _integer(value: object, size: str, bits: str, unsigned: str | None) -> str:
    width = int(bits) if bits else {"tiny": 8, "small": 16, "medium": 24, "": 32, "big": 64}[size.lower()]
    if isinstance(value, bool) and width == 8:  # DataJoint's bool, on MySQL
        return str(int(value))
    return _within(value, 0, 2**width - 1) if unsigned else _within(value, -(2 ** (width - 1)), 2 ** (width - 1) - 1)


def _year(value: object) -> str:
    return _within(value, 1901, 2155)


def _within(value: object, low: int, high: int) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"must be an integer from {low} to {high}, without quotes")
    return str(value)


def _string(value: object, length: str) -> str:
    if not isinstance(value, str) or len(value) > int(length):
        raise ValueError(f"must be a string, in quotes where it looks like a number, of at most {length} characters")
    return value


def _enum(value: object, members: str) -> str:
    allowed = [member.replace("''", "'") for member in re.findall(r"'((?:[^']|'')*)'", members)]
    if not isinstance(value, str) or value not in allowed:
        close = difflib.get_close_matches(str(value), allowed, n=1)
        near = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"must be one of {', '.join(map(repr, allowed))}{near}")
    return value


def _date(value: object) -> str:
    try:
        if isinstance(value, str) and re.fullmatch(_DAY, value):
            return datetime.date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise ValueError("must be a date such as '2024-01-31'")


def _datetime(value: object, decimals: str | None) -> str:
    found = re.fullmatch(_INSTANT, value) if isinstance(value, str) else None
    fraction = (found["fraction"] or "").rstrip("0") if found else ""
    places = int(decimals or 0)
    try:
        if found and len(fraction) <= places:
            day = datetime.date.fromisoformat(found["day"])
            time = datetime.time.fromisoformat(found["time"] or "00:00")
            return f"{day} {time}" + (f".{fraction}" if fraction else "")
    except ValueError:
        pass
    precision = f"with at most {places} decimals of a second" if places else "to the second"
    raise ValueError(f"must be a date and time such as '2024-01-31 18:30:00', {precision}, without a time zone")


def _decimal(value: object, digits: str, scale: str | None) -> str:
    places = int(scale or 0)
    try:
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            number = decimal.Decimal(value)
            exact = fractions.Fraction(number) * 10**places
            if exact.denominator == 1 and abs(exact) < 10 ** int(digits):
                return format(number, "f")
    except (decimal.InvalidOperation, ValueError, OverflowError):  # no number, not finite
        pass
    raise ValueError(f"must be a number such as '1.5', of at most {digits} digits, {places} of them decimals")


def _uuid(value: object) -> str:
    try:
        return uuid.UUID(str(value)).hex
    except ValueError:
        raise ValueError("must be a uuid such as 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'") from None


_DAY = r"\d{4}-\d\d-\d\d"
_INSTANT = rf"(?P<day>{_DAY})(?:[ T](?P<time>\d\d:\d\d(?::\d\d)?)(?:\.(?P<fraction>\d+))?)?"

BARE = "bare"
"""Without quotes; the other forms are what stands before the quoted text."""

_TYPES: tuple[tuple[str, Callable[..., str], str], ...] = (
    (r"(?P<size>tiny|small|medium|big|)int(?:eger)?(?P<bits>\d*)(?:\(\d+\))?(?P<unsigned> unsigned)?", _integer, BARE),
    (r"year(?:\(4\))?", _year, BARE),
    (r"(?:var)?char\s*\((?P<length>\d+)\)", _string, ""),
    (r"enum\s*\((?P<members>.+)\)", _enum, ""),
    (r"date", _date, "DATE "),
    (r"(?:datetime|timestamp)(?:\s*\((?P<decimals>\d)\))?", _datetime, "TIMESTAMP "),
    (r"(?:decimal|numeric)\s*\((?P<digits>\d+)(?:,\s*(?P<scale>\d+))?\)(?: unsigned)?", _decimal, BARE),
    (r"uuid", _uuid, "X"),
)
