"""The way to a portal: its REST methods, the tokens for them, and the limits they have."""
