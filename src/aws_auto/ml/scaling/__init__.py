"""Scaling: what a fleet of a given load should be, and a replay that says what each way of deciding costs."""
