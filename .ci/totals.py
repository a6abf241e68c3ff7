"""Adds up what the test runners of a run said and prints it as one line; exits with 1 unless everything passed.

    totals.py LOG_DIRECTORY

cargo test and pytest are read for their counts; each other script of tests, and each fuzz target, counts as one test.
"""

import pathlib
import re
import sys

logs = pathlib.Path(sys.argv[1])
failed_steps = [path.stem for path in logs.glob("*.status") if path.read_text() != "ok\n"]
passed = failed = skipped = 0
for log in sorted(logs.glob("*.log")):
    text = log.read_text(errors="replace")
    if log.stem == "tests":
        for line in re.finditer(r"^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored", text, re.M):
            passed += int(line[1])
            failed += int(line[2])
            skipped += int(line[3])
    elif log.stem == "s3-clients":
        last = text.rstrip().rsplit("\n", 1)[-1]
        for count, what in re.findall(r"(\d+) (passed|failed|error|skipped)", last):
            passed += int(count) * (what == "passed")
            failed += int(count) * (what in ("failed", "error"))
            skipped += int(count) * (what == "skipped")
    elif log.stem == "fuzz":
        passed += len(re.findall(r"^fuzz \S+: ok", text, re.M))
        failed += len(re.findall(r"^fuzz \S+: FAILED", text, re.M))
    elif log.stem.startswith("e2e-"):
        passed += log.stem not in failed_steps
        failed += log.stem in failed_steps

# A step that failed without a test that says so (a lint, a build, a script, a hang) is a failure too.
if failed_steps and failed == 0:
    failed = len(failed_steps)
if passed == 0:
    failed = max(failed, 1)
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or failed_steps else 0)
