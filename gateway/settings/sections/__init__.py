"""Defines the sections of the settings, a module each."""
