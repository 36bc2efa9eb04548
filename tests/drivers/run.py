#!/usr/bin/env python3
"""Runs the tests that compute on a device on each OpenCL implementation that cmake/drivers.sh has set up, and prints a
table. cmake/check.sh --all-devices calls it:

    tests/drivers/run.py BUILD DRIVERS [--only REGEX] [NAME...]   # build/release build/drivers pocl intel ...

Without names only known.txt is checked: its form, and that each line is about tests that there are.

Passed, known (fails, and known.txt says whose fault it is), skipped (the program says why, or known.txt that it is too
slow there), failed. Exit code 1 where anything failed, an implementation is not the one that it should be, or nothing
ran. What each test printed is kept in DRIVERS/NAME/logs.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

# The platform that must show up, as proof that it is this one that computes; seconds a test may take; small sizes.
DRIVERS = {
    "pocl": {"platform": "Portable Computing Language", "limit": 600, "small": False, "label": "device"},
    "intel": {"platform": "Intel(R) OpenCL", "limit": 600, "small": True, "label": "device"},
    "rusticl": {"platform": "rusticl", "limit": 900, "small": True, "label": "device"},
    "oclgrind": {"platform": "Oclgrind", "limit": 600, "small": True, "label": "oclgrind"},
}


def read_known(path):
    """Lines of: implementation | test, a regular expression | fault or slow | reason"""
    known = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in re.split(r"\s\|\s", line, maxsplit=3)]  # no blanks: part of an expression
        if len(fields) != 4 or fields[0] not in DRIVERS or fields[2] not in ("fault", "slow"):
            sys.exit(f"{path}:{number}: expected 'implementation | test | fault or slow | reason', found '{line}'")
        known.append(fields)
    return known


def reason_of(known, driver, test, verdict):
    for name, pattern, what, reason in known:
        if name == driver and what == verdict and re.fullmatch(pattern, test):
            return reason
    return None


def environment_of(drivers, name, settings):
    environment = dict(os.environ)
    for line in (drivers / name / "environment").read_text().splitlines():
        key, value = line.split("=", 1)
        environment[key] = value
    environment["EBMCL_CACHE_DIR"] = str(drivers / name / "cache")
    if settings["small"]:
        environment["EBMCL_TEST_SMALL"] = "1"
    return environment


def find_device(build, name, environment):
    """The one device that programs see in this environment; a sentence where it is not the one meant."""
    command = [str(build / "ebmcl"), "devices", "--json"]
    if name == "oclgrind":
        command.insert(0, "oclgrind")
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        devices = json.loads(run.stdout)["devices"]
    except (ValueError, KeyError):
        return None, "no list of devices: " + run.stdout.strip()[:200]
    wanted = DRIVERS[name]["platform"]
    if len(devices) != 1 or devices[0]["platform"] != wanted:
        return None, f"expected one device of {wanted}, found {[d['platform'] + ': ' + d['name'] for d in devices]}"
    return devices[0], None


def list_all_tests(build):
    shown = subprocess.run(["ctest", "--test-dir", str(build), "--show-only=json-v1"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, check=True)
    return json.loads(shown.stdout)["tests"]


def check_known(known, tests):
    """A name that no test has any more would hide nothing, and a failure would come back unexplained."""
    for driver, pattern, _, _ in known:
        alternatives = pattern[1:-1].split("|") if pattern.startswith("(") and pattern.endswith(")") else [pattern]
        for one in alternatives:
            if not any(re.fullmatch(one, test["name"]) for test in tests):
                sys.exit(f"known.txt: {driver}: no test is named '{one}'")


def list_tests(build, label):
    tests, oclgrind = [], shutil.which("oclgrind")
    for test in list_all_tests(build):
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        if {label, "drivers"} & set(properties.get("LABELS", [])):
            command = test["command"]
            if label == "oclgrind" and command[0] != oclgrind:
                command = [oclgrind, *command]
            tests.append((test["name"], command, properties))
    return tests


def end(process):
    """A program that a kernel crashed in may wait for its own driver for ever, with children or without."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def judge(code, output, properties, limit):
    failed_cases = sorted(set(re.findall(r"^\[  FAILED  \] (?!\d+ test)(\S+)$", output, re.M)))
    crash = re.search(r"Test failed with exception: (.*)", output)
    if crash:
        running = re.findall(r"^\[ RUN      \] (\S+)$", output, re.M)
        return "failed", f"{crash.group(1)} in {running[-1] if running else 'the program'}"
    if code is None:
        running = re.findall(r"^\[ RUN      \] (\S+)$", output, re.M)
        return "failed", f"not done after {limit} s" + (f", in {running[-1]}" if running else "")
    if code < 0:
        return "failed", f"ended by signal {-code}"
    if code == properties.get("SKIP_RETURN_CODE", -1):
        lines = output.strip().splitlines()
        wrong = "drivers" in properties.get("LABELS", []) # a case from this folder
        return "failed" if wrong else "skipped", lines[-1] if lines else "no reason given"
    for pattern in properties.get("FAIL_REGULAR_EXPRESSION", []):
        if re.search(pattern, output):
            return "failed", f"printed '{pattern}'"
    if code != 0:
        return "failed", ", ".join(failed_cases) or f"exit code {code}"
    counted = re.findall(r"^\[  PASSED  \] (\d+) test", output, re.M)
    if counted and sum(map(int, counted)) == 0:
        said = re.search(r"skipped: (.*)", output)
        return "skipped", said.group(1) if said else "all its cases"
    return "passed", ""


def run_test(test, environment, limit, logs):
    name, command, properties = test
    environment = dict(environment)
    for setting in properties.get("ENVIRONMENT", []):
        key, value = setting.split("=", 1)
        environment[key] = value
    begun = time.monotonic()
    log = logs / f"{name}.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(command, cwd=properties.get("WORKING_DIRECTORY"), env=environment, stdout=out,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            code = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end(process)
            process.wait()
    output = log.read_text(errors="replace")
    return (name, *judge(code, output, properties, limit), time.monotonic() - begun)


def run_driver(arguments, name, known):
    """Rows of (test, verdict, reason) and the device; nothing and a sentence where there is none to trust."""
    settings = DRIVERS[name]
    environment = environment_of(arguments.drivers, name, settings)
    device, wrong = find_device(arguments.build, name, environment)
    if wrong:
        return [], None, wrong
    logs = arguments.drivers / name / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    rows, work = [], []
    for test in list_tests(arguments.build, settings["label"]):
        if not re.search(arguments.only, test[0]):
            continue
        slow = reason_of(known, name, test[0], "slow")
        if slow:
            rows.append((test[0], "skipped", slow))
        else:
            work.append(test)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        started = [pool.submit(run_test, test, environment, settings["limit"], logs) for test in work]
        for done in concurrent.futures.as_completed(started):
            test, verdict, reason, seconds = done.result()
            fault = reason_of(known, name, test, "fault")
            if fault and verdict == "failed":
                verdict, reason = "known", f"{fault} ({reason})"
            elif fault and verdict == "passed":
                print(f"{name}: {test} passes, although known.txt says: {fault}", file=sys.stderr)
            print(f"{name:9}{test:36}{verdict:8}{seconds:7.1f} s  {reason}", file=sys.stderr, flush=True)
            rows.append((test, verdict, reason))
    return sorted(rows), device, None


def print_reasons(title, rows):
    """One line a reason, with the tests that have it."""
    by_reason = {}
    for driver, test, reason in rows:
        by_reason.setdefault((driver, reason), []).append(test)
    if by_reason:
        print(f"\n{title}:")
    for (driver, reason), tests in by_reason.items():
        print(f"  {driver}: {', '.join(tests)}: {reason}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("drivers", type=pathlib.Path)
    parser.add_argument("names", nargs="*", help="of " + ", ".join(sorted(DRIVERS)))
    parser.add_argument("--only", default="", help="tests whose names match")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    arguments.build, arguments.drivers = arguments.build.resolve(), arguments.drivers.resolve()
    for name in arguments.names:
        if name not in DRIVERS:
            parser.error(f"{name}: expected one of {', '.join(sorted(DRIVERS))}")
    known = read_known(pathlib.Path(__file__).parent / "known.txt")
    check_known(known, list_all_tests(arguments.build))
    if not arguments.names:
        print(f"known.txt: {len(known)} lines, each about tests that there are")
        return 0
    table, listed, wrong = [], {"known": [], "skipped": [], "failed": []}, False
    for name in arguments.names:
        rows, device, sentence = run_driver(arguments, name, known)
        if sentence:
            print(f"{name}: {sentence}", file=sys.stderr)
            table.append((name, "-", "-", 0, 0, 0, "not run: " + sentence))
            wrong = True
            continue
        count = {verdict: sum(row[1] == verdict for row in rows) for verdict in ("passed", "known", "skipped", "failed")}
        table.append((name, f"{device['platform']} {device['driver']}", device["name"], count["passed"],
                      count["known"], count["skipped"], count["failed"]))
        wrong |= count["failed"] > 0 or count["passed"] == 0
        for test, verdict, reason in rows:
            if verdict in listed:
                listed[verdict].append((name, test, reason))
    print("\n| implementation | driver | device | passed | known faults | skipped | failed |")
    print("|---|---|---|---|---|---|---|")
    for row in table:
        print("| " + " | ".join(map(str, row)) + " |")
    for verdict, title in (("known", "Known faults"), ("skipped", "Skipped"), ("failed", "Failed")):
        print_reasons(title, listed[verdict])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
