"""The slow care of portals: what was missed is found and published; one process at a time."""
