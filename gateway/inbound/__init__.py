"""Makes a verified, normalised event of Bitrix24's bytes: pure functions, no I/O."""
