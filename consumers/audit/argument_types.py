"""Reads what the commands about the audit log are given: records, as the commands print them."""

import click

from consumers.audit.findings import Anchor

__all__ = ["AnchorType", "RecordType"]


class AnchorType(click.ParamType[Anchor]):
    """Reads a line that `verify` printed, or the consumer logged."""

    name = "anchor"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Anchor:
        """Read it."""
        try:
            return Anchor.of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class RecordType(click.ParamType[tuple[str, int]]):
    """Reads a record of a chain by its number."""

    name = "record"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Read it."""
        chain, _, seq = str(value).partition(":")
        if not chain or not seq.isdecimal():
            self.fail(f"{value!r}: give it as `verify` printed it, such as events-0:12", param, ctx)
        return chain, int(seq)
