"""Has the commands that run or try a consumer; those about one consumer live in its package."""
