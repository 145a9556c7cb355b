"""Keeps the balance: what became of every event that was accepted, so that a loss shows."""
