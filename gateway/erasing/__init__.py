"""Erasing what Redis holds of a portal or of a comment, and naming what is out of reach."""
