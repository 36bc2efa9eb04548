"""Compiles every kernel in every variant of its GPU form with the compilers of GPU vendors.

    vendors.py --compilers DIRECTORY [--results FILE] [--targets a,b] [--files x.cl,y.cl] [--jobs N]

A program that a compiler rejects, a kernel that keeps anything in scratch memory (spilled registers, arrays that were
not kept in registers), one that needs more than 32 KiB of local memory and one that no listed program contains are
failures: a line each, exit code 1. --results writes all that the compilers said as JSON (bench/gpu_tables.py reads it).
Results are kept beside the compilers, by the text and options they were of. 77, ctest's sign for skipped, without
compilers.
"""
import argparse
import hashlib
import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import variants
from occupancy import occupancy
from targets import TARGETS, CompileError, Tools

HERE = Path(__file__).resolve().parent
KERNELS = HERE.parent.parent / 'cl'
MOST_LOCAL = 32768  # what OpenCL 1.2 promises
GROUP = 64          # items of a work-group where no compiler tells: those of -DGROUP
FORMAT = 1          # of kept results


def compile_once(tools, kept, versions, target, file, options):
    text = variants.flattened(KERNELS, file)
    key = hashlib.sha256('\n'.join([str(FORMAT), target.name, versions[target.name], *options, text]).encode())
    place = kept / f'{key.hexdigest()}.json'
    if place.exists():
        return json.loads(place.read_text())
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source = work / file
        source.write_text(text)
        try:
            result = dict(kernels=target.compile(tools, source, options, work))
        except CompileError as error:
            return dict(error=str(error))  # not kept: it may be the machine's fault
    half_written = place.with_suffix(f'.{os.getpid()}.{target.name}')
    half_written.write_text(json.dumps(result))
    half_written.rename(place)
    return result


def problems_of(kernel):
    if kernel['spills']:
        yield f"spills registers ({kernel['spills']})"
    if kernel['scratch']:
        yield f"keeps {kernel['scratch']} bytes in scratch memory"
    if kernel['local'] > MOST_LOCAL:
        yield f"needs {kernel['local']} bytes of local memory"


def add_occupancy(results):
    """Work-group sizes that a compiler does not tell are those another one told."""
    items = {}
    for row in results:
        for name, kernel in row.get('kernels', {}).items():
            if kernel['items'] > 1:
                items[row['file'], *row['options'], name] = kernel['items']
    rules = {target.name: target.rule for target in TARGETS}
    for row in results:
        for name, kernel in row.get('kernels', {}).items():
            kernel['items'] = items.get((row['file'], *row['options'], name), GROUP)
            kernel['occupancy'], kernel['limit'] = occupancy(rules[row['target']], kernel['items'], kernel)


def failures_of(results, files):
    failures = []
    for row in results:
        where = f"{row['target']}: {row['file']} {' '.join(o for o in row['options'] if o.startswith('-D'))}"
        if 'error' in row:
            failures.append(f"{where}: {row['error']}")
        for name, kernel in row.get('kernels', {}).items():
            failures += [f'{where}: {name} {problem}' for problem in problems_of(kernel)]
    for file in files:
        built = {name for row in results if row['file'] == file for name in row.get('kernels', {})}
        failures += [f'{file}: {name} is in no program that is listed'
                     for name in sorted(variants.kernels_of(KERNELS, file) - built)]
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--compilers', required=True)
    parser.add_argument('--results')
    parser.add_argument('--targets', default='')
    parser.add_argument('--files', default='')
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    recorded = variants.read(HERE / 'variants.txt')
    failures = variants.complaints(KERNELS, recorded)
    programs = variants.expanded(recorded)
    if arguments.files:
        programs = [p for p in programs if p[0] in arguments.files.split(',')]
    tools = Tools(arguments.compilers)
    targets = [t for t in TARGETS if not arguments.targets or t.name in arguments.targets.split(',')]
    for target in list(targets):
        reason = target.missing(tools)
        if reason:
            print(f'{target.vendor} {target.name} left out: {reason}')
            targets.remove(target)
    if not targets:
        print(f'skipped: no compiler in {arguments.compilers} (tests/vendor/run.sh fetches them)')
        return 77
    versions = {target.name: target.version(tools) for target in targets}
    kept = Path(arguments.compilers) / 'results'
    kept.mkdir(exist_ok=True)
    jobs = [(target, file, options) for file, options in programs for target in targets]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        done = list(pool.map(lambda job: compile_once(tools, kept, versions, *job), jobs))
    results = [dict(target=target.name, file=file, options=options, **result)
               for (target, file, options), result in zip(jobs, done)]
    add_occupancy(results)
    failures += failures_of(results, {file for file, _ in programs})
    if arguments.results:
        Path(arguments.results).write_text(json.dumps(dict(versions=versions, results=results), indent=1) + '\n')
    for failure in failures:
        print(failure)
    kernels = sum(len(row.get('kernels', {})) for row in results)
    names = ', '.join(target.name for target in targets)
    print(f'{len(programs)} programs by {names}: {kernels} kernels, {len(failures)} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
