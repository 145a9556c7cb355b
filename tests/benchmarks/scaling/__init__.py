"""Measures what an installation takes by how much it is given, and models what more would take."""
