"""Watches whether portals are well: heard, their events bound, and open to us; tells when not."""
