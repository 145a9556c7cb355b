"""Reads the arguments of `gateway`'s commands and the settings, wires the parts, and runs them."""
