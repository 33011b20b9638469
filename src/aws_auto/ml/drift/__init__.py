"""Drift: whether a current window differs from a reference by more than the reference differs from itself."""
