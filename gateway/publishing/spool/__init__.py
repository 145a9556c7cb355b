"""Keeps events on this machine's disk until they can be published."""
