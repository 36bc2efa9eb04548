# Runs `ebmcl eval --predictions` on random predictions and on those of classifiers that scikit-learn fits to its own data
# sets, and compares every value with what other packages say (oracles.py), to 1e-6. A package that is missing is said and
# left out.
#
#     python compare.py PROGRAM
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from scipy.special import log_softmax
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

import oracles

TOLERANCE = 1e-6
program = os.path.abspath(sys.argv[1])
rng = np.random.default_rng(11)
failures = []
compared = {}  # by package


def write_npy(folder, logits, label, counts):
    np.save(f"{folder}/p.npy", logits)
    np.save(f"{folder}/y.npy", label.astype(np.int64))
    np.save(f"{folder}/c.npy", counts.astype(np.float64))
    return ["--predictions", "p.npy", "--labels_file", "y.npy", "--annotator_counts", "c.npy", "--scores", "logits"]


def write_csv(folder, logits, label, counts):
    labels = logits.shape[1]
    with open(f"{folder}/p.csv", "w") as file:
        columns = [f"logit_{y}" for y in range(labels)] + ["label"] + [f"count_{y}" for y in range(labels)]
        print(",".join(columns), file=file)
        for row, truth, count in zip(logits, label, counts):
            print(",".join([*(repr(float(x)) for x in row), str(truth), *(str(int(c)) for c in count)]), file=file)
    return ["--predictions", "p.csv"]


def write_jsonl(folder, logits, label, counts):
    with open(f"{folder}/p.jsonl", "w") as file:
        for row, truth, count in zip(logits, label, counts):
            row = {"logits": [float(x) for x in row], "label": int(truth), "counts": [int(c) for c in count]}
            print(json.dumps(row), file=file)
    return ["--predictions", "p.jsonl"]


def write_probabilities(folder, logits, label, counts):
    np.save(f"{folder}/p.npy", np.exp(log_softmax(logits.astype(np.float64), axis=1)))
    np.save(f"{folder}/y.npy", label.astype(np.int32))
    np.save(f"{folder}/c.npy", np.asfortranarray(counts.astype(np.float32)))
    return ["--predictions", "p.npy", "--labels_file", "y.npy", "--annotator_counts", "c.npy"]


def check(name, key, ours, theirs, package):
    compared[package] = compared.get(package, 0) + 1
    if ours is None or not abs(ours - theirs) <= TOLERANCE:
        failures.append(f"{name}: {key}: {ours}, {package} says {theirs}")


def check_certainties(name, ours, logits, p, label, with_levels):
    right = (p.argmax(1) == label).astype(float)
    for certainty, score in oracles.certainties(logits, p).items():
        if not with_levels and certainty in ("max_logit", "free_energy"):
            assert f"aurc_{certainty}" not in ours
            continue
        # Scores that differ by less than the files hold are equal for one program and not for the other.
        if np.diff(np.sort(score)).min() < 2e-7 * (1 + np.abs(score).max()):
            continue
        for key, value in oracles.selective(score, right).items():
            check(name, f"{key}_{certainty}", ours[f"{key}_{certainty}"], value, "uncertainty-calibration")
        if 0 < right.sum() < len(right):
            for key, value in oracles.detection(score[right == 1], score[right == 0]).items():
                check(name, f"error_{key}_{certainty}", ours[f"error_{key}_{certainty}"], value, "scikit-learn")


def compare(name, logits, label, write, bins):
    keep = oracles.off_the_edges(logits)
    keep[np.setdiff1d(np.arange(len(logits)), np.unique(logits.max(1), return_index=True)[1])] = False
    logits, label = logits[keep], label[keep]
    p = np.exp(log_softmax(logits.astype(np.float64), axis=1))
    counts = np.array([rng.multinomial(rng.integers(1, 9), row / row.sum()) for row in p])
    with tempfile.TemporaryDirectory() as folder:
        arguments = write(folder, logits, label, counts)
        command = [program, "eval", *arguments, "--full", "--json", "--bootstrap_samples", "0", "--bins", str(bins)]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ran.returncode != 0:
        failures.append(f"{name}: {ran.stderr}")
        return
    ours = json.loads(ran.stdout)
    value, source = oracles.calibration_errors(p, label, bins)
    for key, number in value.items():
        check(name, key, ours[key], number, source[key])
    for key, package, number, _ in oracles.second_opinions(logits, p, label, bins):
        check(name, key, ours[key], number, package)
    for key, number in oracles.agreement(p, counts.astype(float)).items():
        check(name, key, ours[key], number, "scipy")
    check_certainties(name, ours, logits, p, label, write is not write_probabilities)
    print(f"{name}: {len(logits)} examples, {logits.shape[1]} labels, {bins} bins, {write.__name__}")


def random_case(labels, count, scale, noise):
    logits = rng.normal(0, scale, (count, labels)).astype(np.float32)
    return logits, (logits + rng.gumbel(0, noise, logits.shape)).argmax(1)


def fitted_case(data, model):
    x = StandardScaler().fit_transform(data.data)
    order = rng.permutation(len(x))
    train, test = order[: len(x) // 3], order[len(x) // 3 :]
    model.fit(x[train], data.target[train])
    return np.log(np.clip(model.predict_proba(x[test]), 1e-30, 1)).astype(np.float32), data.target[test]


def main():
    for package, module in oracles.packages.items():
        if module is None:
            print(f"{package} is not installed: left out")
    cases = {
        "random, 2 labels": random_case(2, 700, 2.0, 1.5),
        "random, 3 labels": random_case(3, 500, 1.5, 0.7),
        "random, 10 labels": random_case(10, 400, 2.0, 2.0),
        "breast cancer, logistic regression": fitted_case(load_breast_cancer(), LogisticRegression(C=0.05)),
        "wine, naive Bayes": fitted_case(load_wine(), GaussianNB(var_smoothing=0.3)),
        "digits, logistic regression": fitted_case(load_digits(), LogisticRegression(C=0.002, max_iter=500)),
    }
    writers = [write_npy, write_csv, write_jsonl, write_probabilities]
    for i, (name, (logits, label)) in enumerate(cases.items()):
        for j, bins in enumerate((10, 15, 20)):
            compare(name, logits, label, writers[(i + j) % len(writers)], bins)
    print("values compared: " + ", ".join(f"{package} {count}" for package, count in sorted(compared.items())))
    for failure in failures:
        print(failure)
    assert sum(compared.values()) > 500
    sys.exit(bool(failures))


main()
