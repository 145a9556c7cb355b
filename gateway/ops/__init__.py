"""Looking at streams and repairing them: what the CLI and the console both call."""
