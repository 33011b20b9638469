"""Stages of processing: pure functions that hand back rows, rejected rows with their reasons, and a report."""
