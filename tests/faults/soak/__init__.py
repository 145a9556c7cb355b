"""The product under load for an hour, while everything that it stands on fails at random."""
