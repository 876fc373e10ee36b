"""Measure the cost of `pairforge validate`: python benchmarks/validate.py [--rows 100000] [--json FILE]

The ratios within one run are the important figures, because they are similar on other machines. The rows are
generated from a seed; each has about 1 KB, like a pair of a short question and two answers of about seventy words.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
WORDS = (ROOT / "LICENSE").read_text("utf-8").lower().split()
SAMPLE = 5000


def sentence(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, k=words)).capitalize() + "."


def made(count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield rows like those of a correction run."""
    draw = random.Random(seed)
    for number in range(count):
        asked = {"role": "user", "content": f"{number}: {sentence(draw, 12)[:-1]}?"}
        sides = ([asked, {"role": "assistant", "content": sentence(draw, 42)}] for _ in range(2))
        columns = {
            "id": f"{number:016x}",
            "prompt_id": f"{number:016x}",
            "method": "correct",
            "model": "m",
            "judge": "rule",
        }
        yield {
            **dict(zip(("chosen", "rejected"), sides, strict=True)),
            **columns,
            "chosen_score": 1.0,
            "rejected_score": 0.0,
        }


def best(work: Callable[[], Any], times: int = 5) -> float:
    """Return the lowest CPU time of several calls, in seconds."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def ratios() -> dict[str, float]:
    """Return the microseconds per row of each step."""
    from pairforge.checks import RULES, RowChecker
    from pairforge.checks.row import well_shaped
    from pairforge.checks.schema import validator

    rows = list(made(SAMPLE))
    lines = [json.dumps(row) for row in rows]
    of_rows = [code for code in RULES if code < "PF2"]

    def look(codes: list[str] | None) -> None:
        check = RowChecker(codes)
        assert not [one for index, row in enumerate(rows) for one in check.see(index, row)]
        assert not [*check.findings()]

    few = rows[:500]
    figures = {
        "json.loads": best(lambda: [json.loads(line) for line in lines]) / SAMPLE,
        "shape, fast path": best(lambda: [well_shaped(row) for row in rows]) / SAMPLE,
        "shape, jsonschema": best(lambda: [validator().is_valid(row) for row in few], 3) / len(few),
        "PF0 and PF1": best(lambda: look(of_rows)) / SAMPLE,
        "PF0 to PF2, near duplicates too": best(lambda: look(None)) / SAMPLE,
    }
    return {name: seconds * 1e6 for name, seconds in figures.items()}


def whole(path: Path, jobs: int, ignore: str) -> dict[str, float]:
    """Check a file; return the wall seconds, and the peak memory of all processes together in MB."""
    call = f"validate({str(path)!r}, jobs={jobs}, ignore={[ignore] if ignore else []!r})"
    code = f"from pairforge.api.validate import validate; found = {call}; assert not found, found[:3]"
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    peak = 0.0
    while child.poll() is None:
        peak = max(peak, memory(child.pid))
        time.sleep(0.2)
    assert child.returncode == 0
    return {"seconds": time.perf_counter() - start, "MB": peak}


def memory(pid: int) -> float:
    """Return the resident memory of a process and its children in MB, where /proc is available."""
    total = 0.0
    for one in [pid, *children(pid)]:
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except OSError:
            continue
        total += pages * resource.getpagesize() / 2**20
    return total


def children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="number of rows in the checked file")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    figures = ratios()
    base = figures["json.loads"]
    print(f"{'':34}{'us/row':>10}{'json.loads':>12}")
    for name, micro in figures.items():
        print(f"{name:34}{micro:10.2f}{micro / base:11.2f}x")
    speedup = figures["shape, jsonschema"] / figures["shape, fast path"]
    print(f"\nthe fast path is {speedup:.0f} times as fast as jsonschema\n")
    files: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.jsonl"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in made(options.rows))
        size = path.stat().st_size
        print(f"{options.rows} rows, {size / 1e6:.0f} MB:")
        for name, ignore in (("without near duplicates", "PF206,PF207"), ("with near duplicates", "")):
            for jobs in sorted({1, options.jobs}):
                files[f"{name}, {jobs} jobs"] = run = whole(path, jobs, ignore)
                print(f"  {name}, {jobs} jobs: {run['seconds']:.1f} s, {run['MB']:.0f} MB peak")
    if options.json:
        names = ("numpy", "jsonschema")
        where = {"machine": platform.machine(), "processors": os.cpu_count(), "python": platform.python_version()}
        said = {
            "rows": options.rows,
            "bytes": size,
            "us_a_row": figures,
            "jsonschema_over_fast_path": speedup,
            "files": files,
        }
        versions = {name: version(name) for name in names}
        options.json.write_text(json.dumps({**said, "where": where, "versions": versions}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
