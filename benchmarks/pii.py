"""``python -m benchmarks.pii``: how many hits of each detector are right, and how much of what there is it finds.

Exits with 1 if precision or recall of any detector is below 0.98.
"""

import runpy
import sys
from collections import Counter
from pathlib import Path

from par.middleware._pii_find import DEFAULT_DETECTORS, Finder

TABLE = Path(__file__).parent.parent / "tests" / "unit" / "middleware" / "pii_table.py"
LEAST = 0.98


def counted() -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Return by kind: what was found rightly, what was found wrongly, and what was missed."""
    table = runpy.run_path(str(TABLE))
    finder = Finder(DEFAULT_DETECTORS)
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for _, kind, value, text in table["POSITIVE"]:
        at = text.rindex(value)
        found = False
        for hit in finder.find(text):
            if hit.detector.kind == kind and hit.start <= at and at + len(value) <= hit.end:
                found = True
            elif value not in text[hit.start : hit.end]:
                wrong[hit.detector.kind] += 1
        (right if found else missed)[kind] += 1
    for text in table["NEGATIVE"]:
        wrong.update(hit.detector.kind for hit in finder.find(text))
    print(f"{len(table['POSITIVE'])} texts with personal data, {len(table['NEGATIVE'])} that only look like it")
    return right, wrong, missed


def main() -> int:
    right, wrong, missed = counted()
    print(f"{'detector':10} {'found':>6} {'wrong':>6} {'missed':>6} {'precision':>10} {'recall':>7}")
    good = True
    for kind in [*(detector.kind for detector in DEFAULT_DETECTORS), "all"]:
        kinds = right.keys() | wrong.keys() | missed.keys() if kind == "all" else {kind}
        yes, no, not_found = (sum(counter[one] for one in kinds) for counter in (right, wrong, missed))
        precision, recall = yes / max(1, yes + no), yes / max(1, yes + not_found)
        good &= precision >= LEAST and recall >= LEAST
        print(f"{kind:10} {yes:6} {no:6} {not_found:6} {precision:10.3f} {recall:7.3f}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
