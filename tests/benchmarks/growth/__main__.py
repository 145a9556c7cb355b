"""`make bench-growth`: each thing's costs at three sizes, the law, and whether that is allowed.

`PARTS="streams backlog"` measures those alone, `--json FILE` keeps the figures. Exit code 1 if a
cost grows faster than it may, or is above its bar at the largest size.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from tests.benchmarks.growth.curve import Curve
from tests.benchmarks.growth.figures import PARTS, curves


def shown(curve: Curve) -> str:
    """A curve in two lines."""
    costs = ", ".join(f"{curve.costs[size]:.3g}" for size in curve.sizes)
    sizes = ", ".join(f"{size:,}" for size in curve.sizes)
    bar = "" if curve.bar is None else f", bar {curve.bar:g} {curve.unit}"
    verdict = "holds" if curve.is_good else "MISSED"
    return (
        f"{curve.name}\n    {costs} {curve.unit} at {sizes} {curve.of}: "
        f"n^{curve.exponent:.2f} (at most {curve.most_exponent:g}{bar}) {verdict}"
    )


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    measured = []
    for curve in curves(arguments.parts):
        print(shown(curve), flush=True)
        measured.append(curve)
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(measured)))
    sys.exit(0 if all(curve.is_good for curve in measured) else 1)


if __name__ == "__main__":
    main()
