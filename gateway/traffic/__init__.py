"""Counts what each portal sends, and warns of one that sends unusually much."""
