"""The science, without a database: read a pulse recording, cut it into windows, find beats, measure them.

A photoplethysmogram (PPG) is light shone through a finger: each heart beat lets a little less of it through.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]

WINDOW_SECONDS = 10
STEP_SECONDS = 2
NOMINAL_HZ = 100.0
"""Sample rate of a recording whose file has no clock column."""

PULSE_HZ = (0.5, 8.0)
"""The frequencies that a pulse is made of."""
SHORTEST_INTERVAL, LONGEST_INTERVAL = 1 / 3, 1.5
"""Seconds from beat to beat: 180 and 40 beats per minute."""
TOLERANCE = 0.25
"""How far an interval may lie from the median of its window, as a fraction of it, and still be believed."""
MOST_OFF, FEWEST_INTERVALS, FEWEST_BELIEVED = 0.2, 5, 0.7


class PoorSignal(ValueError):
    """No heart rate can be told from this window."""


@dataclass(frozen=True)
class Pulse:
    beats: Array
    """Seconds from the start of the window, shape (n_beats,)."""
    bpm: float
    """Heart rate, beats per minute."""
    rmssd: float
    """Root mean square of successive differences of the intervals, in ms: a measure of heart rate variability."""


def read_recording(file: str) -> tuple[Array, float]:
    """Samples (sensor units, 0 to 1023) and sample rate (Hz) of a recording that ships with HeartPy.

    The files are plain samples, or a clock (milliseconds, or date and time) and a sample to a line.
    """
    path = distribution("heartpy").locate_file(f"heartpy/data/{file}")
    with open(str(path), newline="") as lines:
        rows = list(csv.reader(lines))
    if len(rows[0]) == 1:
        return np.array(rows, dtype=float).ravel(), NOMINAL_HZ
    header, *rows = rows
    clock, samples = zip(*rows, strict=True)
    seconds = _seconds(header[0], clock)
    return np.array(samples, dtype=float), (len(seconds) - 1) / (seconds[-1] - seconds[0])


def windows(samples: Array, sample_rate: float) -> Iterator[tuple[int, Array]]:
    """Start (whole seconds) and samples of every full window, shape (WINDOW_SECONDS * sample_rate,)."""
    length = round(WINDOW_SECONDS * sample_rate)
    for start in range(0, int(len(samples) / sample_rate), STEP_SECONDS):
        window = samples[round(start * sample_rate) :][:length]
        if len(window) == length:
            yield start, window


def find_beats(samples: Array, sample_rate: float) -> Array:
    """Times (s) of the systolic peaks, shape (n_beats,).

    M. Elgendi et al., Systolic Peak Detection in Acceleration Photoplethysmograms, PLoS ONE 8(10), 2013:
    a beat is where the squared signal, averaged over a peak's width, exceeds its average over a beat's.
    """
    from scipy import ndimage, signal  # seconds to import: only workers that look for beats pay for it

    band_pass = signal.butter(2, PULSE_HZ, "bandpass", fs=sample_rate, output="sos")
    pulse = signal.sosfiltfilt(band_pass, samples)
    energy = np.clip(pulse, 0, None) ** 2
    peak_width, beat_width = round(0.111 * sample_rate), round(0.667 * sample_rate)
    threshold = ndimage.uniform_filter1d(energy, beat_width) + 0.02 * np.mean(energy)
    is_peak = ndimage.uniform_filter1d(energy, peak_width) > threshold
    edges = np.flatnonzero(np.diff(is_peak, prepend=False, append=False)).reshape(-1, 2)
    peaks = [start + np.argmax(pulse[start:stop]) for start, stop in edges if stop - start >= peak_width]
    return np.array(peaks, dtype=float) / sample_rate


def measure(samples: Array, sample_rate: float) -> Pulse:
    """Heart rate and its variability in one window; raises PoorSignal where they cannot be trusted."""
    off = np.mean(samples <= 0)
    if off > MOST_OFF:
        raise PoorSignal(f"sensor off for {off:.0%} of the window, at most {MOST_OFF:.0%} allowed")
    beats = find_beats(samples, sample_rate)
    intervals = np.diff(beats)
    believed = plausible(intervals)
    if believed.sum() < FEWEST_INTERVALS:
        raise PoorSignal(f"too few beats: {believed.sum()} plausible intervals, at least {FEWEST_INTERVALS} needed")
    if believed.mean() < FEWEST_BELIEVED:
        raise PoorSignal(f"irregular: {believed.mean():.0%} of intervals agree, at least {FEWEST_BELIEVED:.0%} needed")
    successive = np.diff(intervals)[believed[1:] & believed[:-1]]
    rmssd = np.sqrt(np.mean(successive**2))
    return Pulse(beats, bpm=60 / float(np.mean(intervals[believed])), rmssd=1000 * float(rmssd))


def plausible(intervals: Array) -> npt.NDArray[np.bool_]:
    """Which beat-to-beat intervals (s) a heart can have made, and agree with the others."""
    possible = (intervals > SHORTEST_INTERVAL) & (intervals < LONGEST_INTERVAL)
    if not possible.any():
        return possible
    usual = np.median(intervals[possible])
    return possible & (np.abs(intervals - usual) < TOLERANCE * usual)


def _seconds(column: str, clock: tuple[str, ...]) -> Array:
    if column == "datetime":
        return np.array(clock, dtype="datetime64[us]").astype(float) / 1e6
    return np.array(clock, dtype=float) / 1e3
