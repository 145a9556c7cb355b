"""`python -m consumers` is the `consumers` command."""

from consumers.cli import main

main()
