"""A stand-in portal: real wire bodies, for the demo, for tests and for trying things out."""
