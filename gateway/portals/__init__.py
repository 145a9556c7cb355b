"""Who may send: registered portals and their application tokens."""
