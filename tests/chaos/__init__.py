"""Breaks things while keys are made, and counts what became of each key. `python -m tests.chaos --help`"""
