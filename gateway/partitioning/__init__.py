"""Knows into how many partitions an installation spreads its events, and what number comes next."""
