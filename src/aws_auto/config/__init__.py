"""YAML in, located problems or frozen documents out. Start at `document`; `units` holds the small types."""
