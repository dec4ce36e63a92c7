"""Figures beside their peer and their limit: printed as a table, kept as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One measurement. `ratio` is what `limit` speaks of; a name that ends in `_ms` is in milliseconds."""

    name: str
    backend: str
    workers: int
    ours: float
    peer: float | None
    ratio: float
    limit: str
    """`<= 2.0` or `>= 0.95`."""

    @property
    def holds(self) -> bool:
        sign, bound = self.limit.split()
        return self.ratio <= float(bound) if sign == "<=" else self.ratio >= float(bound)


def beside(name: str, backend: str, workers: int, ours: float, peer: float, limit: str) -> Figure:
    """A figure whose ratio is ours to the peer's; of a count that is 0 for both it is 1."""
    ratio = ours / peer if peer else 1.0 if not ours else math.inf
    return Figure(name, backend, workers, round(ours, 4), round(peer, 4), round(ratio, 3), limit)


def alone(name: str, backend: str, workers: int, ours: float, limit: str) -> Figure:
    """A figure that is judged by itself."""
    return Figure(name, backend, workers, round(ours, 4), None, round(ours, 4), limit)


def print_table(figures: Sequence[Figure]) -> None:
    rows = _rows(figures)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def keep(figures: Sequence[Figure]) -> Path:
    """Writes latest.json, and latest.md to read; earlier figures of what was not measured now stay."""
    path = RESULTS / "latest.json"
    measured = {(figure.name, figure.backend) for figure in figures}
    earlier = [Figure(**row) for row in json.loads(path.read_text())] if path.exists() else []
    kept = [figure for figure in earlier if (figure.name, figure.backend) not in measured]
    everything = sorted([*kept, *figures], key=lambda figure: (figure.name, figure.backend, figure.workers))
    RESULTS.mkdir(exist_ok=True)
    lines = (json.dumps(dataclasses.asdict(figure)) for figure in everything)
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    path.with_suffix(".md").write_text(_markdown(everything))
    return path


def _rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("name", "backend", "workers", "ours", "peer", "ratio", "limit", "")]
    for figure in figures:
        peer = "" if figure.peer is None else f"{figure.peer:.4g}"
        numbers = (f"{figure.ours:.4g}", peer, f"{figure.ratio:.4g}")
        verdict = "" if figure.holds else "OVER"
        rows.append((figure.name, figure.backend, str(figure.workers), *numbers, figure.limit, verdict))
    return rows


def _markdown(figures: Sequence[Figure]) -> str:
    head, *rows = _rows(figures)
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
