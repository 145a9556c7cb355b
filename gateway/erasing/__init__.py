"""Erases what Redis holds of a portal or of a comment, and names what is out of reach."""
