"""Prints ids and numbers that a process drew, for the tests of forked ones."""

import random
import secrets

from uuid_utils import uuid7


def main() -> None:
    print(uuid7(), secrets.token_hex(), random.random())


if __name__ == "__main__":
    main()
