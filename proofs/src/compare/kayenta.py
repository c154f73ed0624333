"""scipy's side of the comparison: reads pairs of samples, tests them, and measures a round at each request.

The first line of the standard input is {"x": [[..], ..], "y": [[..], ..]}; the answer is {"version", "u", "p"}. Each
further line asks for a round, "one" by one or "all" at once; the answer is its time in microseconds per pair.
"""

import json
import sys
import time

import numpy
import scipy
from scipy.stats import mannwhitneyu


def test(x, y):
    return mannwhitneyu(x, y, alternative="two-sided", method="asymptotic", axis=-1)


def one(x, y):
    for pair in zip(x, y):
        test(*pair)


def tell(answer):
    print(json.dumps(answer), flush=True)


samples = json.loads(sys.stdin.readline())
x, y = numpy.array(samples["x"]), numpy.array(samples["y"])
found = test(x, y)
tell({"version": scipy.__version__, "u": found.statistic.tolist(), "p": found.pvalue.tolist()})
for line in sys.stdin:
    work = {"one": one, "all": test}[line.strip()]
    started = time.perf_counter()
    work(x, y)
    tell((time.perf_counter() - started) / len(x) * 1e6)
