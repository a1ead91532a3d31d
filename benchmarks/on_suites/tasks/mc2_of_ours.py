"""MC2 out of the log-likelihoods of all choices, for lm-eval: written without a look at selfstudy's own."""

import math


def process(doc, results):
    """The share of the probability of all choices that the true ones have."""
    probabilities = [math.exp(loglikelihood) for loglikelihood, _ in results]
    true = sum(p for p, label in zip(probabilities, doc["mc2_labels"], strict=True) if label)
    return {"acc": true / sum(probabilities)}
