"""Has the command that runs a consumer; those about one consumer live in its package."""
