"""Calls portals: their REST methods, the tokens for them, and the limits they have."""
