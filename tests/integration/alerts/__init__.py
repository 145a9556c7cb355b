"""Alerts of groups and the balance, by real processes."""
