"""How the application gets into a portal and out of it: confirmed, registered, bound, forgotten."""
