"""Runs everything on one machine: an embedded Redis, supervised processes, the demo."""
