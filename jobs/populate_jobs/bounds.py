"""How much of one answer is read: a server may say as much as it likes."""

MOST_ROWS = 300_000
"""Nothing we ask has as many."""
MOST_BYTES = 64 * 2**20
"""The largest answer there is has twenty thousand error messages."""
TOO_MUCH = f"the answer is longer than {MOST_BYTES // 2**20} MiB"
