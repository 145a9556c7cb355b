"""Runs a consumer without Redis: on a list of events, or on all that it has to be ready for."""
