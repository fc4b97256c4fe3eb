#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""summary.py DIR: sum up what check.sh left in DIR. Exit 1 if a test failed or none ran."""

import pathlib
import sys
import xml.etree.ElementTree as ET


def junit_results(path):
    """Gives (name, outcome, output) of every test in a JUnit file that ctest wrote."""
    for case in ET.parse(path).getroot().iter("testcase"):
        output = (case.findtext("system-out") or "").strip()
        if case.get("status") == "run":
            yield case.get("name"), "passed", output
        elif case.find("skipped") is not None and case.get("status") in ("notrun", "disabled"):
            yield case.get("name"), "skipped" if ran(case) else "failed", output
        else:
            yield case.get("name"), "failed", output


def ran(case):
    """A test that skipped itself did run; one whose program is missing did not."""
    return case.find("skipped").get("message", "").startswith("SKIP_RETURN_CODE")


def main(directory):
    order, results = [], {}
    for line in (directory / "times").read_text().splitlines():
        stage, seconds = line.split("\t")
        order.append((stage, int(seconds)))
        results[stage] = []
    for line in (directory / "others").read_text().splitlines():
        stage, outcome, name, why = line.split("\t")
        results[stage].append((name, outcome, why))
    for stage, _ in order:
        for path in sorted(directory.glob(f"{stage}.*.xml")):
            preset = path.name.split(".")[1]
            results[stage] += [
                (name if preset == stage else f"{preset}: {name}", outcome, output)
                for name, outcome, output in junit_results(path)
            ]

    total = {"passed": 0, "failed": 0, "skipped": 0}
    for stage, seconds in order:
        count = {k: sum(outcome == k for _, outcome, _ in results[stage]) for k in total}
        total = {k: total[k] + count[k] for k in total}
        numbers = ", ".join(f"{n} {k}" for k, n in count.items())
        print(f"{stage:16}{numbers}  ({seconds} s)")
    for kind in ("skipped", "failed"):
        for stage, _ in order:
            for name, outcome, output in results[stage]:
                if outcome == kind:
                    last = output.splitlines()[-1] if output else "(it said nothing)"
                    print(f"{kind}: {stage}: {name}: {last}")
    print(", ".join(f"{n} {k}" for k, n in total.items()))
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
