"""The commands on the pages of docs/install, as they stand there."""

import re

from tests.integration.deploy.files import ROOT

__all__ = ["PAGES", "commands"]

PAGES = ROOT / "docs" / "install"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page: str, heading: str | None = None) -> list[str]:
    """The blocks of shell commands of a page, or of what is below one of its headings, in order."""
    text = (PAGES / page).read_text()
    if heading is not None:
        (text,) = re.findall(rf"^## {heading}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return _BLOCK.findall(text)
