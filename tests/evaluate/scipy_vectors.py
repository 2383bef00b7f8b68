"""Writes scipy-vectors.json beside this file: python3 scipy_vectors.py (made with numpy and scipy 1.17)."""

import json
import pathlib

import numpy
from scipy import stats

rng = numpy.random.default_rng(7)
cases = []
for n, levels in [(2, 0), (3, 0), (12, 0), (40, 0), (12, 4), (40, 3), (25, 2)]:
    a = rng.normal(size=n)
    b = 0.5 * a + rng.normal(size=n)
    if levels:
        a, b = numpy.floor(a * levels) / levels, numpy.floor(b * levels) / levels
    cases.append({
        "a": a.tolist(),
        "b": b.tolist(),
        "pearson": stats.pearsonr(a, b).statistic,
        "spearman": stats.spearmanr(a, b).statistic,
        "kendall": stats.kendalltau(a, b, variant="b").statistic,
        "mannWhitneyU": stats.mannwhitneyu(a, b).statistic,
    })
path = pathlib.Path(__file__).parent / "scipy-vectors.json"
path.write_text(json.dumps(cases, default=float, indent=1))
