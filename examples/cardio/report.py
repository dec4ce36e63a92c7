"""What the pipeline found, read from its database alone: a table on the terminal and a plot.

python report.py [heart-rate.png]
"""

from __future__ import annotations

import sys
from typing import TypeAlias

import cardio
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from ppg import STEP_SECONDS, WINDOW_SECONDS, Array
from rich.console import Console
from rich.table import Table

INK, BEAT, RATE, FAILED = "#39424e", "#d1495b", "#00798c", "#edae49"
EXCERPT_SECONDS = 16
MIDDLE = WINDOW_SECONDS / 2
IN_THE_MIDDLE = f"abs(beat_time - start - {MIDDLE}) <= {STEP_SECONDS / 2}"
"""Windows overlap: each speaks for the seconds in its middle, which are no other window's middle."""

Key: TypeAlias = dict[str, str]
Span: TypeAlias = tuple[float, float]
"""From and to, in seconds after the recording began."""


def main() -> None:
    target = sys.argv[1] if len(sys.argv) > 1 else "heart-rate.png"
    Console().print(results())
    plot().savefig(target, dpi=150)
    print(f"Plot: {target}")


def results() -> Table:
    table = Table(title="Heart rate by recording", title_justify="left")
    for heading in ("recording", "minutes", "windows", "failed", "bpm", "low", "high", "RMSSD, ms"):
        table.add_column(heading, justify="left" if heading == "recording" else "right")
    for row in (cardio.Summary * cardio.Trace).to_dicts(order_by="recording"):
        failed = row["windows"] - row["measured"]
        table.add_row(
            row["recording"],
            f"{row['duration'] / 60:.1f}",
            str(row["windows"]),
            f"[yellow]{failed}" if failed else "0",
            *(f"{row[measure]:.0f}" for measure in ("mean_bpm", "low_bpm", "high_bpm", "rmssd")),
        )
    return table


def plot() -> Figure:
    """One row for each recording: some of its pulse with the beats found, and its heart rate from end to end."""
    recordings = (cardio.Recording * cardio.Trace).to_dicts(order_by="recording")
    figure = Figure(figsize=(15, 3.2 * len(recordings)), layout="constrained")
    panels = figure.subplots(len(recordings), 2, width_ratios=(3, 4), sharey="col", squeeze=False)
    for (pulse, rate), recording in zip(panels, recordings, strict=True):
        key = {"recording": recording["recording"]}
        failed = (cardio.Trace.Window - cardio.HeartRate & key).to_arrays("start", order_by="start")
        excerpt = worth_seeing(failed)
        plot_pulse(pulse, key, recording["sample_rate"], excerpt)
        plot_rate(rate, key, excerpt)
        shade(pulse, failed)
        shade(rate, failed)
        pulse.set_title(f"{recording['recording']}: {recording['note']}", loc="left", weight="bold")
        rate.set_title(f"{len(failed)} of {len(cardio.Trace.Window & key)} windows failed", loc="right")
    for axes in panels[-1]:
        axes.set_xlabel("seconds after the recording began")
    for axes in panels.flat:
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, handles=legend())
    return figure


def worth_seeing(failed: Array) -> Span:
    """The excerpt to draw: about the last window that failed, or from the first window's middle on."""
    begin = max(0.0, failed[-1] + MIDDLE - EXCERPT_SECONDS / 2) if len(failed) else MIDDLE - STEP_SECONDS / 2
    return begin, begin + EXCERPT_SECONDS


def plot_pulse(axes: Axes, key: Key, sample_rate: float, excerpt: Span) -> None:
    begin, end = excerpt
    windows = cardio.Trace.Window & key & f"start > {begin - WINDOW_SECONDS} and start < {end}"
    starts, samples = windows.to_arrays("start", "samples", order_by="start")
    step = round(STEP_SECONDS * sample_rate)
    pulse = np.concatenate([samples[0], *(window[-step:] for window in samples[1:])])
    seconds = starts[0] + np.arange(len(pulse)) / sample_rate
    found = cardio.HeartRate.Beat & key & IN_THE_MIDDLE & f"beat_time between {begin} and {end}"
    beats = found.to_arrays("beat_time")
    axes.plot(seconds, pulse, color=INK, linewidth=1)
    axes.plot(beats, np.interp(beats, seconds, pulse), "o", color=BEAT, markersize=5)
    axes.set(xlim=excerpt, ylabel="sensor units")


def plot_rate(axes: Axes, key: Key, excerpt: Span) -> None:
    """Draw the heart rate in the middle of each window, the line broken where windows failed."""
    starts, bpm = (cardio.HeartRate & key).to_arrays("start", "bpm", order_by="start")
    for run in np.split(np.arange(len(starts)), np.flatnonzero(np.diff(starts) > STEP_SECONDS) + 1):
        axes.plot(starts[run] + MIDDLE, bpm[run], ".-", color=RATE, linewidth=1.2, markersize=4)
    axes.axvspan(*excerpt, ymax=0.03, color=INK, zorder=2)
    axes.set(xlim=(0, starts[-1] + WINDOW_SECONDS), ylabel="beats per minute")
    axes.grid(axis="y", alpha=0.3)


def shade(axes: Axes, failed: Array) -> None:
    """Mark the middles of the windows that have no heart rate."""
    limits = axes.get_xlim()
    for middle in failed + MIDDLE:
        axes.axvspan(middle - STEP_SECONDS / 2, middle + STEP_SECONDS / 2, color=FAILED, alpha=0.4, linewidth=0)
    axes.set_xlim(limits)


def legend() -> list[Artist]:
    return [
        Line2D([], [], color=INK, label="pulse"),
        Line2D([], [], color=BEAT, marker="o", linestyle="", label="beat"),
        Line2D([], [], color=RATE, marker=".", label=f"heart rate in the {WINDOW_SECONDS} s around"),
        Patch(color=FAILED, alpha=0.4, label="no heart rate: the window failed"),
        Patch(color=INK, label="where the excerpt is from"),
    ]


if __name__ == "__main__":
    main()
