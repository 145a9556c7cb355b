"""`make bench-growth`: each thing's costs at three sizes, the law, and whether that is allowed.

`PARTS="streams backlog"` measures those alone, `--json FILE` keeps the figures. Exit code 1 if a
cost grows faster than it may, or is above its bar at the largest size.
"""

import sys

from tests.benchmarks.growth.curve import Curve
from tests.benchmarks.growth.figures import PARTS, curves
from tests.benchmarks.recorded_run import Recorder, arguments


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


def main() -> int:
    """Measure, print, judge."""
    parser = arguments(__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART")
    options = parser.parse_args()
    recorder = Recorder("growth", options.json)
    measured = []
    for curve in curves(options.parts):
        print(shown(curve), flush=True)
        measured.append(curve)
    return recorder.concluded(curves=measured)


if __name__ == "__main__":
    sys.exit(main())
