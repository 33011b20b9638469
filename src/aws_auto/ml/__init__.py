"""Pure: frames in, values out; no clock, no disk, no network, no YAML. A file is a door, a folder its room."""
