"""Answers what makes the installation unsafe or unready, as `gateway doctor` does."""

from typing import Final

from gateway.console.installation_looks import DoctorAnswer
from gateway.console.page_question import PageQuestion

__all__ = ["NAME", "load"]

NAME: Final = "doctor"


async def load(question: PageQuestion) -> DoctorAnswer:
    """What was found, the red first; works while Redis is away."""
    return await question.looks.examination()
