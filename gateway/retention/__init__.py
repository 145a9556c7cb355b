"""Removes entries from the streams: nothing before every group is through with it."""
