"""Gets the application into a portal and out of it: confirmed, registered, bound, forgotten."""
