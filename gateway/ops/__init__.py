"""Looks at streams and repairs them, for operators."""
