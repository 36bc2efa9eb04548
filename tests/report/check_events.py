#!/usr/bin/env python3
"""check_events.py MODEL: reads MODEL/runs/events.out.tfevents.* with the tensorboard package (pip install tensorboard)
and compares every scalar with MODEL/trainer_log.jsonl, which `ebmcl train --report_to tensorboard` wrote beside it."""
import json
import sys

import numpy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

model = sys.argv[1]
events = EventAccumulator(model + "/runs", size_guidance={"scalars": 0})
events.Reload()
expected = {}
for line in open(model + "/trainer_log.jsonl"):
    row = json.loads(line)
    for key, value in row.items():
        if key == "step" or isinstance(value, bool):
            continue
        tag = "eval/" + key[5:] if key.startswith("eval_") else "train/" + key
        expected.setdefault(tag, []).append((row["step"], float(numpy.float32(value))))
found = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
assert expected and set(found) == set(expected), (sorted(found), sorted(expected))
for tag, points in expected.items():
    assert len(found[tag]) == len(points), tag
    for (step, value), (there, read) in zip(points, found[tag]):
        assert step == there and abs(value - read) <= 1e-6 * abs(value), (tag, step, value, read)
print(sum(len(points) for points in found.values()), "scalars of", len(found), "tags agree")
