"""``python -m benchmarks.bash_mutations``: take one check of the bash tool away at a time, and see whether a test notices.

Each change is made in a copy of the package, in a temporary folder, and the attack tests that belong to it run there
until the first of them fails. A change that no test notices has survived: either an attack is missing, or another
check holds, which ``note`` of the mutant then says.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from benchmarks.bash_mutants import CORPUS, MUTANTS, Mutant

ROOT = Path(__file__).parents[1]
LIMIT_S = 120
QUIET = ("-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--no-header", "--tb=no")


def copied(folder: Path) -> Path:
    """Copy what the tests need, and put the cases beside it."""
    place = folder / "main"
    place.mkdir(parents=True)
    for name in ("par", "tests"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", place)
    cases = ROOT.parent / "shared"
    if cases.exists():
        (folder / "shared").symlink_to(cases)
    return place


def tested(place: Path, tests: tuple[str, ...]) -> tuple[bool, str]:
    """Run tests in a copy, one file after the other; return whether one of them failed, and the last line said."""
    env = {**os.environ, "PYTHONPATH": f"{place}{os.pathsep}{place / 'tests'}", "PYTHONDONTWRITEBYTECODE": "1"}
    said = ""
    for file in tests:
        if not (place / file).exists():
            raise SystemExit(f"there is no {file}")
        chosen = ("-k", "asyncio or constructors" if file == CORPUS else "not trio")
        argv = [sys.executable, "-m", "pytest", *QUIET, *chosen, file]
        try:
            done = subprocess.run(
                argv, cwd=place, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return True, f"{file} did not end"
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        said = lines[-1] if lines else done.stderr[-200:]
        if done.returncode == 5:
            raise SystemExit(f"no test of {file} was chosen")
        if done.returncode:
            failed = next((line for line in lines if line.startswith(("FAILED", "ERROR"))), said)
            return True, failed
    return False, said


def tried(place: Path, mutant: Mutant) -> tuple[Mutant, bool, str, float]:
    """Make one change, test, and take it back."""
    file = place / "par" / (mutant.file[1:] if mutant.file.startswith("/") else f"tools/bash/{mutant.file}")
    text = file.read_text()
    if text.count(mutant.old) != 1:
        return mutant, False, f"the text stands {text.count(mutant.old)} times in {mutant.file}", 0.0
    started = time.perf_counter()
    file.write_text(text.replace(mutant.old, mutant.new))
    try:
        killed, said = tested(place, mutant.tests)
    finally:
        file.write_text(text)
    return mutant, killed, said, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants whose name or file has one of these")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first one, by number")
    parser.add_argument("--to", type=int, default=len(MUTANTS), help="the one after the last")
    parser.add_argument("--control", action="store_true", help="run all of their tests once without a change")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    chosen = MUTANTS[options.first : options.to]
    if options.words:
        chosen = [one for one in chosen if any(word in f"{one.name} {one.file}" for word in options.words)]
    survived: list[Mutant] = []
    with tempfile.TemporaryDirectory(prefix="par-mutants-") as folder:
        free: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.jobs):
            free.put(copied(Path(folder, str(number))))

        def run(mutant: Mutant) -> tuple[Mutant, bool, str, float]:
            place = free.get()
            try:
                return tried(place, mutant)
            finally:
                free.put(place)

        if options.control:
            for file in dict.fromkeys(file for mutant in chosen for file in mutant.tests):
                failed, said = tested(Path(folder, "0", "main"), (file,))
                print(f"{'FAILED' if failed else 'passed'} {file}: {said}", flush=True)
            return
        with ThreadPoolExecutor(options.jobs) as pool:
            for mutant, killed, said, took in pool.map(run, chosen):
                state = "killed  " if killed else "redundant" if mutant.note else "SURVIVED"
                print(f"{state} {took:5.1f} s  {mutant.name}: {said[:110]}", flush=True)
                if not killed:
                    survived.append(mutant)
    redundant = [one for one in survived if one.note]
    print(f"\n{len(chosen)} changes, {len(chosen) - len(survived)} noticed, {len(redundant)} held by another check")
    for one in redundant:
        print(f"  {one.name}: {one.note}")
    if len(redundant) < len(survived):
        print("\n".join(f"SURVIVED: {one.name}" for one in survived if not one.note))
        raise SystemExit(1)


if __name__ == "__main__":
    main()
