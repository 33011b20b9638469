"""Detection for one series: causal scores that mean the same for every series, and alarms from them.

::

    detector = Detector.fit(times, values)                  # the past, unix seconds, NaN where missing; no labels
    scores, detector = detector.advance(new_times, new_values)   # judge, then learn; point by point or a month at once
    policy = Policy(threshold=detector.threshold(per_week=1), decade=detector.decade, least_effect=5.0)
    for alarm in alarms(new_times, new_values, scores, policy): ...
    content = detector.to_bytes()                           # tens of kilobytes, no pickle
    detector = Detector.from_bytes(content)

How it works: `clock` puts points into slots, `members` give raw scores (deviation from the shape of the last minutes,
from the season, from all shapes seen before, ...), `calibrate` turns each into its surprise by the series' own past,
`profile` says which members count for how much, and `alarms` makes episodes of it. Nothing looks ahead, and a point
gets the same score whether it comes alone or in a batch.

`options` and `autoencoder` hold the detectors that the specification names (IsolationForest, OneClassSVM, LSTM
autoencoder, their vote), for those who ask for them and as baselines.

Linear algebra here is small: set ``OPENBLAS_NUM_THREADS=1`` (or `threadpoolctl`) when many series are scored, or
threads cost more than they save.
"""

from __future__ import annotations

from aws_auto.ml.anomaly.detect.alarms import Alarm, Policy, alarms, level, severity
from aws_auto.ml.anomaly.detect.detector import Detector, Scores
from aws_auto.ml.anomaly.detect.profile import Profile, choose

__all__ = [
    "Alarm",
    "Detector",
    "Policy",
    "Profile",
    "Scores",
    "alarms",
    "choose",
    "level",
    "severity",
]
