"""Says in Redis which processes run, where, and how they are: each of itself, every 5 s."""
