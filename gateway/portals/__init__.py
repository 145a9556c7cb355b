"""Knows who may send: registered portals and their application tokens."""
