"""Takes usual deliveries past aiohttp's request handling, and leaves all others to it."""
