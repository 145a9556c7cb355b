"""Bitrix24's bytes become a verified, normalised event: pure functions, no I/O."""
