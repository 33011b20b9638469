"""Everything that touches the world, behind `ports`. A file is a use case; start at `workspace`."""
