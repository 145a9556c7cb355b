"""Measures how costs grow with what there is; `figures.curves()` returns it as data."""
