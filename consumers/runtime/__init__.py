"""The runtime: reads the partitions of a stream for a group, and calls a consumer's handlers."""
