"""A file of typed uses of the public names: type-checked, never run."""
