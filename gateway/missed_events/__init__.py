"""Finds events that were missed, and publishes them once."""
