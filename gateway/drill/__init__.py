"""Tries how an installation bears faults, beside what it does, and says what was lost."""
