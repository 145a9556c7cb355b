"""Measures the console on a stream of a million entries and ten thousand portals."""
