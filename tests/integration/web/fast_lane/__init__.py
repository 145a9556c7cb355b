"""Tests of the fast lane: what it takes is answered and stored as aiohttp's way does it."""
