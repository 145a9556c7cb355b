"""Finds out one event's whole way, from its receipt to what each group made of it. Only reads."""
