"""Fixtures of the tests that try what a user of Redis may do."""

from tests.support.redis_users import limited_url, users

__all__ = ["limited_url", "users"]
