"""Says whether an installation is well: everything that can be asked of it, in one look."""
