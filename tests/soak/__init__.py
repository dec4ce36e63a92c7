"""Continuous work, for long: what an operator and its workers take must not grow."""
