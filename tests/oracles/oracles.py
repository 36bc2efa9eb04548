# What other packages say about predictions, under ebmcl's names. Each value is double precision where the package
# allows it. A package that is not installed answers with nothing; `packages` says which did.
#
#     value, package = oracle_values(logits, label, bins)      # {"smooth_ece": ...}, {"smooth_ece": "relplot"}
#
# Where definitions differ from ebmcl's, the difference is bridged here and said beside it, or the value is left out:
#   netcal       ECE and MCE of one label take P(1) itself, not the predicted label's: given the confidences of the
#                predicted label they are top-label. ACE averages over bins, not over examples, and takes numpy's
#                quantiles as edges: not compared.
#   uncertainty-calibration (calibration)   bins of equal width are (a, b]: predictions are kept off the edges.
#                get_calibration_error guesses from the data whether a method is discrete: its parts are called instead.
#   relplot      with two labels it takes P(1); here, as with more, the predicted label's probability.
#   torch-uncertainty   AURC is the trapezoid over coverage from 1/n to 1, stretched by n/(n - 1); ebmcl's is the mean
#                risk over k = 1 .. n (Geifman and El-Yaniv 2017): computed from that package's own curve. What it
#                computes in float32 is given doubles.
#   probmetrics  takes probabilities and logits as torch tensors; its Brier is ebmcl's. Its calibration and refinement
#                errors (Berta et al. 2025) are what a fitted calibrator gains: another quantity than Murphy's parts.
import warnings

import numpy as np
from scipy.special import log_softmax, logsumexp
from scipy.stats import pearsonr, spearmanr
from sklearn import metrics as sk

warnings.filterwarnings("ignore")


def optional(name):
    try:
        return __import__(name, fromlist=["_"])
    except ImportError:
        return None


calibration = optional("calibration")
netcal = optional("netcal.metrics")
relplot = optional("relplot")
torch_uncertainty = optional("torch_uncertainty.metrics.classification")
probmetrics = optional("probmetrics.metrics")

packages = {
    "scikit-learn": sk,
    "uncertainty-calibration": calibration,
    "netcal": netcal,
    "relplot": relplot,
    "torch-uncertainty": torch_uncertainty,
    "probmetrics": probmetrics,
}


def off_the_edges(logits, bins=(10, 15, 20), distance=1e-6):
    """Rows none of whose probabilities lies within `distance` of an edge between two bins."""
    p = np.exp(log_softmax(np.asarray(logits, np.float64), axis=1))
    near = np.zeros(len(p), bool)
    for b in bins:
        edge = np.round(p * b)
        near |= ((np.abs(p * b - edge) < distance * b) & (edge > 0) & (edge < b)).any(1)
    return ~near


def brier_parts(p, label, bins):
    """Murphy's parts, and what bins of some width leave over, from the definitions."""
    calibration_part = refinement = within = 0.0
    for y in range(p.shape[1]):
        hit = (label == y).astype(float)
        bin_of = np.minimum((p[:, y] * bins).astype(int), bins - 1)
        for b in np.unique(bin_of):
            q, o, share = p[bin_of == b, y], hit[bin_of == b], np.mean(bin_of == b)
            calibration_part += share * (q.mean() - o.mean()) ** 2
            refinement += share * o.mean() * (1 - o.mean())
            within += share * (q.var() - 2 * np.mean((q - q.mean()) * (o - o.mean())))
    return calibration_part, refinement, within


def calibration_errors(p, label, bins):
    top = p.argmax(1)
    confidence, right = p.max(1), (top == label).astype(float)
    value, source = {}, {}

    def put(name, package, number):
        value[name], source[name] = float(number), package

    put("accuracy", "scikit-learn", sk.accuracy_score(label, top))
    put("macro_f1", "scikit-learn", sk.f1_score(label, top, average="macro"))
    put("matthews", "scikit-learn", sk.matthews_corrcoef(label, top))
    put("nll", "scikit-learn", sk.log_loss(label, p, labels=range(p.shape[1])))
    parts = brier_parts(p, label, bins)
    for name, number in zip(("brier_calibration", "brier_refinement", "brier_within"), parts):
        put(name, "numpy", number)
    put("brier", "numpy", sum(parts))
    if p.shape[1] == 2:
        put("f1", "scikit-learn", sk.f1_score(label, top))
        put("brier", "scikit-learn", 2 * sk.brier_score_loss(label, p[:, 1]))
    if calibration:
        utils = calibration.utils
        equal_width, equal_mass = utils.get_equal_prob_bins, utils.get_equal_bins

        def kumar(power, scheme, mode, debias):
            return utils.lower_bound_scaling_ce(p, label, power, debias, bins, scheme, mode)

        name = "uncertainty-calibration"
        put("ece_class_wise", name, kumar(1, equal_width, "marginal", False))
        put("ece_top_label", name, kumar(1, equal_width, "top-label", False))
        put("ace_class_wise", name, kumar(1, equal_mass, "marginal", False))
        put("ace_top_label", name, kumar(1, equal_mass, "top-label", False))
        put("debiased_class_wise", name, kumar(2, equal_mass, "marginal", True))
        put("debiased_top_label", name, kumar(2, equal_mass, "top-label", True))
    if netcal:
        put("mce", "netcal", netcal.MCE(bins=bins).measure(confidence, right))
        put("ece_top_label", "netcal", netcal.ECE(bins=bins).measure(confidence, right))
    if relplot:
        put("smooth_ece", "relplot", relplot.smECE(f=confidence, y=right))
    return value, source


def second_opinions(logits, p, label, bins):
    """The same values by packages that compute them too: a list of (name, package, value, tolerance)."""
    opinions = []
    if calibration:
        utils = calibration.utils
        opinions.append(("ece_top_label", "uncertainty-calibration", utils.get_ece(p, label, num_bins=bins), 1e-6))
    if torch_uncertainty:
        import torch

        probability, truth = torch.tensor(p, dtype=torch.float64), torch.tensor(label)
        labels = p.shape[1]
        ace = torch_uncertainty.AdaptiveCalibrationError(task="multiclass", num_classes=labels, num_bins=bins)
        ace.update(probability, truth)
        opinions.append(("ace_top_label", "torch-uncertainty", float(ace.compute()), 1e-6))
        brier = torch_uncertainty.BrierScore(num_classes=labels)
        brier.update(probability, truth)
        opinions.append(("brier", "torch-uncertainty", float(brier.compute()), 1e-6))
    if probmetrics:
        import torch
        from probmetrics.distributions import CategoricalLogits, CategoricalDirac

        truth = CategoricalDirac(torch.tensor(label), n_classes=p.shape[1])
        guess = CategoricalLogits(torch.tensor(np.asarray(logits, np.float64)))
        found = probmetrics.Metrics.from_names(["brier", "logloss", "accuracy"]).compute_all(truth, guess)
        for ours, theirs in (("brier", "brier"), ("nll", "logloss"), ("accuracy", "accuracy")):
            opinions.append((ours, "probmetrics", float(found[theirs]), 1e-6))
    return opinions


def certainties(logits, p):
    """Scores that are larger for what the model is surer of, under the names of ebmcl."""
    logits = np.asarray(logits, np.float64)
    return {
        "max_probability": p.max(1),
        "entropy": np.sum(p * np.log(np.where(p > 0, p, 1)), 1),  # the negative entropy
        "max_logit": logits.max(1),
        "free_energy": logsumexp(logits, axis=1),
    }


def selective(score, right):
    """Risk and coverage of a score without ties."""
    n = len(score)
    assert len(np.unique(score)) == n
    wrong = 1 - right[np.argsort(-score)]
    curve = np.cumsum(wrong) / np.arange(1, n + 1)
    best = np.cumsum(np.sort(wrong)) / np.arange(1, n + 1)
    value = {"aurc": curve.mean(), "excess_aurc": curve.mean() - best.mean()}
    for coverage in (50, 80, 90, 95):
        value[f"accuracy_at_{coverage}"] = 1 - curve[int(np.ceil(coverage * n / 100)) - 1]
    within = np.nonzero(curve <= 0.05)[0]
    value["coverage_at_risk_5"] = (within[-1] + 1) / n if len(within) else 0.0
    if torch_uncertainty:
        import torch

        aurc = torch_uncertainty.AURC()
        aurc.scores.append(torch.tensor(score, dtype=torch.float64))
        aurc.errors.append(torch.tensor(1 - right))
        assert np.allclose(aurc.partial_compute().numpy(), curve, atol=1e-9)
    if calibration:
        assert abs(calibration.utils.get_selective_stats(score, right)[0] - (1 - value["aurc"])) < 1e-9
    return {k: float(v) for k, v in value.items()}


def detection(inside, outside):
    """Positives are `inside`, whose scores are larger."""
    truth = np.r_[np.ones(len(inside)), np.zeros(len(outside))]
    score = np.r_[inside, outside]
    false_rate, true_rate, _ = sk.roc_curve(truth, score, drop_intermediate=False)
    value = {
        "auroc": sk.roc_auc_score(truth, score),
        "aupr_in": sk.average_precision_score(truth, score),
        "aupr_out": sk.average_precision_score(1 - truth, -score),
        "fpr_at_95_tpr": false_rate[np.nonzero(true_rate >= 0.95)[0][0]],
    }
    if torch_uncertainty:
        import torch

        fpr = torch_uncertainty.FPRx(recall_level=0.95, pos_label=1)
        fpr.update(torch.tensor(score), torch.tensor(truth))
        assert abs(float(fpr.compute()) - value["fpr_at_95_tpr"]) < 1e-6
    return {k: float(v) for k, v in value.items()}


def agreement(p, counts):
    """Of predictions with the distribution of several annotators' labels."""
    q = counts / counts.sum(1, keepdims=True)

    def entropy(d):
        d = np.sort(d, 1)  # the same shares of other labels: the same number, a tie for the ranks
        return -np.sum(d * np.log(np.where(d > 0, d, 1)), 1)

    return {
        "human_cross_entropy": float(np.mean(-np.sum(q * np.log(p), 1))),
        "human_kl": float(np.mean(-np.sum(q * np.log(p), 1) - entropy(q))),
        "human_total_variation": float(np.mean(np.abs(p - q).sum(1) / 2)),
        "entropy_difference": float(np.mean(entropy(p) - entropy(q))),
        "entropy_pearson": float(pearsonr(entropy(p), entropy(q))[0]),
        "entropy_spearman": float(spearmanr(entropy(p), entropy(q))[0]),
    }
