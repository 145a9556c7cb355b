"""The promtool that tests of alerts run: one that is installed, or that `make promtool` unpacks."""

from tests.support.debian_programs import find_program, provide

__all__ = ["find_promtool"]


def find_promtool() -> str | None:
    """$PROMTOOL, else the one that was unpacked, else one on the PATH; None if there is none."""
    return find_program("promtool")


if __name__ == "__main__":
    provide("promtool", "prometheus", for_what="tests of alerts")
