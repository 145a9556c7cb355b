"""Plays portals and their authorization server on this machine: for the demo, tests and trial."""
