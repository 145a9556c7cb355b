"""A load on a real installation, and what its account is worth."""
