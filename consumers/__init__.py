"""Independent consumer processes, and the runtime that every one of them runs on."""
