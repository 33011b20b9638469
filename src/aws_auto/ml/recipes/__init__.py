"""Trainable things with a name: features, back-test, fit, calibration, comparison, and a model that answers."""
