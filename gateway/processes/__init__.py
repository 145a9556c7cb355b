"""Keeps processes running: the workers of a receiver, the parts of `gateway up`."""
