"""Programs around the command, run in the clone: `python -m tools.sweep`."""
