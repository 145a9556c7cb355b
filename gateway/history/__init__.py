"""Keeps how the last hour was, so that it can be drawn: a sample each half minute, and no more."""
