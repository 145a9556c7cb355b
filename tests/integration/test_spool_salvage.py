"""What docs/reliability.md tells an operator to do with a corrupt spool."""

import re
import subprocess
from pathlib import Path

from gateway.publishing.spool_file import SpooledBatch, SpoolFile
from tests.integration.deploy.files import ROOT, on_path

BATCHES = 300
PAGE_BYTES = 4096


def test_what_can_be_read_of_a_corrupt_spool_can_be_published(tmp_path: Path) -> None:
    on_path("sqlite3")
    spool = SpoolFile(tmp_path / "spool", max_bytes=1 << 24)
    spool.append([SpooledBatch(0, "p", n, [b"%05d" % n * 200]) for n in range(BATCHES)])
    spool.close()
    file = tmp_path / "spool" / "spool.sqlite3"
    content = bytearray(file.read_bytes())
    content[PAGE_BYTES * 20 : PAGE_BYTES * 21] = b"\xff" * PAGE_BYTES
    file.write_bytes(content)

    SpoolFile(tmp_path / "spool", max_bytes=1 << 24).close()
    (corrupt,) = (tmp_path / "spool").glob("*.corrupt-*")
    page = (ROOT / "docs" / "reliability.md").read_text()
    recipe, _, _serve = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)[0].rpartition(
        "GATEWAY_SPOOL"
    )
    subprocess.run(
        ["sh", "-c", recipe.replace("CORRUPT_FILE", str(corrupt))],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )

    salvaged = SpoolFile(tmp_path / "recovered", max_bytes=1 << 24)
    numbers = [batch.sequence for batch in salvaged.oldest(0, BATCHES)]
    salvaged.close()
    assert numbers == sorted(set(numbers))
    assert BATCHES - 10 < len(numbers) < BATCHES
