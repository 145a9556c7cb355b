"""Whether portals are well: heard, their events bound, and open to us; and telling when not."""
