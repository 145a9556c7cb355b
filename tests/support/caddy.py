"""The Caddy that tests of deploy/Caddyfile run: one that is here, or that `make caddy` unpacks."""

from tests.support.debian_programs import find_program, provide

__all__ = ["find_caddy"]


def find_caddy() -> str | None:
    """$CADDY, else the one that was unpacked, else one on the PATH; None if there is none."""
    return find_program("caddy")


if __name__ == "__main__":
    provide("caddy", "caddy", for_what="tests of the Caddyfile")
