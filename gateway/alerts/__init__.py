"""Tells operators that a group or the balance is not well: once when it begins, once at its end."""
