# Writes ../fixtures/suite.json: random predictions of 2, 3 and 10 labels and what other packages say about them. Run
# once: python make_fixtures.py (requirements.txt). The tests read the file only.
import json
import os

import numpy as np
from scipy.special import log_softmax

import oracles

rng = np.random.default_rng(20230612)
missing = [name for name, module in oracles.packages.items() if module is None]
assert not missing, missing


def rounded(values, digits=4):
    return [round(float(x), digits) for x in np.ravel(values)]


def case(labels, scale, noise, count=160):
    logits = np.round(rng.normal(0, scale, (4 * count, labels)), 4).astype(np.float32)
    logits = logits[oracles.off_the_edges(logits)]
    logits = logits[np.unique(logits.max(1), return_index=True)[1]][:count]  # no equal scores
    assert len(logits) == count
    label = (logits + rng.gumbel(0, noise, logits.shape)).argmax(1)
    p = np.exp(log_softmax(logits.astype(np.float64), axis=1))
    right = (p.argmax(1) == label).astype(float)
    counts = np.array([rng.multinomial(rng.integers(1, 30), row) for row in p ** 0.7 / (p ** 0.7).sum(1, keepdims=True)])
    measures, used = [], {}
    for bins in (10, 15, 20):
        value, source = oracles.calibration_errors(p, label, bins)
        for name, package, number, tolerance in oracles.second_opinions(logits, p, label, bins):
            assert abs(number - value[name]) < tolerance, (name, package, number, value[name])
            used.setdefault(name, set()).add(package)
        for name, package in source.items():
            used.setdefault(name, set()).add(package)
        measures.append({"bins": bins, "value": value})
    scores = oracles.certainties(logits, p)
    return {
        "labels": labels,
        "logits": rounded(logits),
        "label": label.tolist(),
        "measures": measures,
        "sources": {name: sorted(packages) for name, packages in sorted(used.items())},
        "selective": {name: oracles.selective(score, right) for name, score in scores.items()},
        "errors": {name: oracles.detection(score[right == 1], score[right == 0]) for name, score in scores.items()},
        "counts": counts.ravel().tolist(),
        "agreement": oracles.agreement(p, counts.astype(float)),
    }


def detection(count_inside, count_outside, digits):
    """Rounded scores: there are equal ones among and between both."""
    inside, outside = np.round(rng.normal(1, 1, count_inside), digits), np.round(rng.normal(0, 1.3, count_outside), digits)
    return {"in": rounded(inside), "out": rounded(outside), **oracles.detection(inside, outside)}


out = {
    "cases": [case(2, 2.0, 1.5), case(3, 1.5, 1.0), case(10, 1.5, 1.4)],
    "detection": [detection(80, 50, 4), detection(60, 90, 1), detection(40, 3, 0), detection(1, 1, 2)],
}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "suite.json")
with open(path, "w") as file:
    json.dump(out, file, separators=(",", ":"))
    file.write("\n")
