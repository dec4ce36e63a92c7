"""What a plain (unquoted) YAML scalar means to Kubernetes.

kubectl reads YAML 1.1 without dates and base-60 numbers and passes it on as JSON. So `2024-01-01` and `12:30`
are text, `yes`, `no`, `on`, `off`, `y` and `n` are booleans, `0123` is octal, and a number without a fraction is an
integer however it is written (`1e3`, `3.0`, `1_000`).
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INTEGER = re.compile(r"[-+]?(0[bB][01]+|0[oO][0-7]+|0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)")
_OCTAL = re.compile(r"[-+]?0[0-7]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def resolve(text: str) -> Scalar:
    """The value of a plain scalar; infinity and not-a-number, which JSON lacks, as such."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    if _OCTAL.fullmatch(digits):
        return _within_64_bits(int(digits, 8))
    if _INTEGER.fullmatch(digits):
        return _within_64_bits(int(digits, 0))
    if _NUMBER.fullmatch(digits) and math.isfinite(number := float(digits)):
        return _within_64_bits(int(number)) if number.is_integer() else number
    return text


def is_surprising(text: str, value: Scalar) -> bool:
    """Whether most people would have taken the text for something else than the value."""
    if isinstance(value, bool):
        return text.lower() not in ("true", "false")
    return isinstance(value, int) and re.match(r"[-+]?0[0-9_]", text) is not None


def _within_64_bits(number: int) -> int | float:
    return number if -(2**63) <= number < 2**63 else float(number)
