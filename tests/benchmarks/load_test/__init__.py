"""Loads an installation until it bends, and accounts for every event: `make load`."""
