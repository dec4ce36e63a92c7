"""The example's analysis, on the recordings it is for. No database."""

from __future__ import annotations

import numpy as np
import pytest

from examples.cardio import ppg

CLEAN, LATE, MOVING = "data.csv", "data2.csv", "data3.csv"


def window(file: str, start: int) -> tuple[ppg.Array, float]:
    samples, sample_rate = ppg.read_recording(file)
    return dict(ppg.windows(samples, sample_rate))[start], sample_rate


def bpm_by_autocorrelation(samples: ppg.Array, sample_rate: float) -> float:
    """Heart rate from the lag at which the signal is most like itself: knows nothing of beats."""
    centred = samples - samples.mean()
    likeness = np.correlate(centred, centred, mode="full")[len(centred) :]
    shortest, longest = (round(seconds * sample_rate) for seconds in (ppg.SHORTEST_INTERVAL, ppg.LONGEST_INTERVAL))
    return 60 * sample_rate / (1 + shortest + int(np.argmax(likeness[shortest:longest])))


@pytest.mark.parametrize(
    ("file", "samples", "hertz"), [(CLEAN, 2_483, 100.0), (LATE, 15_000, 117.0), (MOVING, 68_476, 100.4)]
)
def test_each_format_of_recording_is_read_with_its_sample_rate(file: str, samples: int, hertz: float) -> None:
    values, sample_rate = ppg.read_recording(file)
    assert len(values) == samples
    assert sample_rate == pytest.approx(hertz, abs=0.05)
    assert values.min() >= 0
    assert values.max() <= 1023


def test_windows_are_full_and_start_two_seconds_apart() -> None:
    samples, sample_rate = ppg.read_recording(LATE)
    starts, cut = zip(*ppg.windows(samples, sample_rate), strict=True)
    assert starts == tuple(range(0, 120, 2))
    assert {len(one) for one in cut} == {round(10 * sample_rate)}
    np.testing.assert_array_equal(cut[7], samples[round(14 * sample_rate) :][: len(cut[7])])


def test_a_recording_shorter_than_a_window_has_none() -> None:
    assert list(ppg.windows(np.ones(999), 100.0)) == []


@pytest.mark.parametrize("start", range(0, 15, 2))
def test_heart_rate_agrees_with_the_autocorrelation_of_the_signal(start: int) -> None:
    samples, sample_rate = window(CLEAN, start)
    assert ppg.measure(samples, sample_rate).bpm == pytest.approx(bpm_by_autocorrelation(samples, sample_rate), abs=3)


def test_beats_are_the_tops_of_the_pulse_and_not_its_echoes() -> None:
    samples, sample_rate = window(CLEAN, 0)
    beats = ppg.find_beats(samples, sample_rate)
    beats = beats[beats < ppg.WINDOW_SECONDS - 0.33]  # the end of the window may cut a pulse in two
    heights = samples[np.round(beats * sample_rate).astype(int)]
    assert len(beats) == 10
    assert heights.min() > 700  # the second, dicrotic wave of each pulse stays below 600


@pytest.mark.parametrize(("gain", "offset"), [(0.1, 0.0), (7.0, 0.0), (1.0, 300.0)])
def test_beats_do_not_depend_on_the_sensors_gain_and_offset(gain: float, offset: float) -> None:
    samples, sample_rate = window(MOVING, 60)
    np.testing.assert_array_equal(
        ppg.find_beats(samples, sample_rate), ppg.find_beats(gain * samples + offset, sample_rate)
    )


def test_variability_is_zero_for_a_clockwork_pulse() -> None:
    seconds = np.arange(1000) / 100
    pulse = ppg.measure(500 + 100 * np.sin(2 * np.pi * seconds), 100.0)
    assert pulse.bpm == pytest.approx(60, abs=0.5)
    assert pulse.rmssd < 20  # two samples: one is the resolution of an interval's end


@pytest.mark.parametrize(
    ("start", "reason"), [(2, "too few beats: 3 "), (18, "sensor off for 71% "), (74, "irregular: 58% ")]
)
def test_a_window_with_a_poor_signal_raises_and_says_why(start: int, reason: str) -> None:
    samples, sample_rate = window(LATE, start)
    with pytest.raises(ppg.PoorSignal, match=reason):
        ppg.measure(samples, sample_rate)


def test_a_flat_line_has_too_few_beats() -> None:
    with pytest.raises(ppg.PoorSignal, match="too few beats: 0 "):
        ppg.measure(np.full(1000, 512.0), 100.0)


@pytest.mark.parametrize(
    ("intervals", "believed"),
    [
        ([0.8, 0.9, 0.85], [True, True, True]),
        ([0.8, 0.8, 1.3, 0.8], [True, True, False, True]),
        ([0.1, 0.2, 9.0], [False, False, False]),
        ([], []),
    ],
)
def test_intervals_are_believed_when_a_heart_can_make_them_and_they_agree(
    intervals: list[float], believed: list[bool]
) -> None:
    assert ppg.plausible(np.array(intervals)).tolist() == believed
