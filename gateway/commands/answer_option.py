"""Lets an operator say how long a question may take."""

from typing import Final

import click

from gateway.ops.answer_times import ANSWER_S

__all__ = ["WITHIN"]

WITHIN: Final = click.option(
    "--within",
    "within_s",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 600),
    default=ANSWER_S,
    show_default=True,
    help="How long Redis may take; what is known by then is the answer.",
)
