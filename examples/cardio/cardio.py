"""From the pulse at a finger to a heart rate: a DataJoint pipeline of four tables.

    Recording --> Trace, Trace.Window --> HeartRate, HeartRate.Beat --> Summary

`DJ_HOST`, `DJ_USER`, `DJ_PASS`, `DJ_BACKEND` say which database; `CARDIO_SCHEMA` which schema in it.
"""

from __future__ import annotations

import os
from typing import Any

import datajoint as dj
import numpy as np
import ppg

schema = dj.Schema(os.environ.get("CARDIO_SCHEMA", "cardio"))


@schema
class Recording(dj.Lookup):
    definition = """
    # The pulse at a finger, seen as light: three recordings that ship with HeartPy
    recording : varchar(16)
    ---
    file      : varchar(32)
    note      : varchar(64)
    """
    contents = (
        ("clean", "data.csv", "25 s without a flaw"),
        ("late", "data2.csv", "2 min, begun before the sensor was on the finger"),
        ("moving", "data3.csv", "11 min of somebody who moves now and then"),
    )


@schema
class Trace(dj.Imported):
    definition = """
    # Samples of a recording, read from its file
    -> Recording
    ---
    sample_rate : float64  # Hz
    duration    : float64  # s
    """

    class Window(dj.Part):
        definition = """
        # Ten seconds of samples, every two seconds
        -> master
        start   : int32    # s after the recording began
        ---
        samples : <blob>   # sensor units, shape (10 s * sample_rate,)
        """

    def make(self, key: dict[str, Any]) -> None:
        samples, sample_rate = ppg.read_recording((Recording & key).fetch1("file"))
        self.insert1({**key, "sample_rate": sample_rate, "duration": len(samples) / sample_rate})
        self.Window.insert(
            {**key, "start": start, "samples": window} for start, window in ppg.windows(samples, sample_rate)
        )


@schema
class HeartRate(dj.Computed):
    definition = """
    # How fast the heart beat in a window; windows with a poor signal fail, and stay in HeartRate.jobs.errors
    -> Trace.Window
    ---
    bpm   : float64  # beats per minute
    rmssd : float64  # ms, variability from beat to beat
    """

    class Beat(dj.Part):
        definition = """
        -> master
        beat : int16
        ---
        beat_time : float64  # s after the recording began
        """

    def make(self, key: dict[str, Any]) -> None:
        samples, sample_rate = (Trace * Trace.Window & key).fetch1("samples", "sample_rate")
        pulse = ppg.measure(samples, sample_rate)
        self.insert1({**key, "bpm": pulse.bpm, "rmssd": pulse.rmssd})
        self.Beat.insert({**key, "beat": n, "beat_time": key["start"] + float(t)} for n, t in enumerate(pulse.beats))


@schema
class Summary(dj.Computed):
    definition = """
    # One line on each recording
    -> Trace
    ---
    windows   : int32    # cut from the recording
    measured  : int32    # of them, with a heart rate
    mean_bpm  : float64
    low_bpm   : float64
    high_bpm  : float64
    rmssd     : float64  # ms, median over the windows
    """

    @property
    def key_source(self) -> dj.expression.QueryExpression:
        """Traces with a heart rate and no window still to come: each is measured, or failed and left at that."""
        given_up = HeartRate.jobs & "status in ('error', 'ignore')"
        to_come = (Trace.Window - HeartRate).restrict(dj.Not(given_up), semantic_check=False)
        return (Trace & HeartRate) - to_come

    def make(self, key: dict[str, Any]) -> None:
        bpm, rmssd = (HeartRate & key).to_arrays("bpm", "rmssd")
        self.insert1(
            {
                **key,
                "windows": len(Trace.Window & key),
                "measured": len(bpm),
                "mean_bpm": float(np.mean(bpm)),
                "low_bpm": float(np.min(bpm)),
                "high_bpm": float(np.max(bpm)),
                "rmssd": float(np.median(rmssd)),
            }
        )
