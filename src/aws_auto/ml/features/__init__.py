"""The room behind `AdvancedFeatureEngineering`: one Polars kernel over whole resources, one file per kind of feature.

Meaning, unit, formula and null rule of every column: ``docs/features.md``.
"""
