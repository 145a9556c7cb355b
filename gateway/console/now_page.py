"""Answers whether all is well now: what is not, groups, processes, spools, portals, the balance."""

from typing import Final

from gateway.console.installation_looks import NowAnswer
from gateway.console.page_question import PageQuestion

__all__ = ["NAME", "load"]

NAME: Final = "now"


async def load(question: PageQuestion) -> NowAnswer:
    """How the installation is, also while Redis is away."""
    return await question.looks.now()
