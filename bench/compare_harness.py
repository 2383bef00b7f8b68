"""What both peers of `armature bench` share: arguments, data, timing and the line of JSON."""

import argparse
import json
import statistics
import time

import numpy as np

WARM_UP_RUNS, WARM_UP_S = 5, 2.0


def arguments(fields):
    """Of the command line; `fields` are those that this peer has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=30)
    parser.add_argument("--only", default=",".join(fields))
    args = parser.parse_args()
    args.only = args.only.split(",")
    unknown = [name for name in args.only if name not in fields]
    if unknown:
        parser.error(f"no benchmark {unknown[0]}; there is {', '.join(fields)}")
    return args


def report(args, benchmarks, library):
    """Prints {field: median ms, ..., "library": its name and version}; `benchmarks` are functions that give the function to time."""
    medians = {name: round(median_ms(benchmarks[name](), args.repetitions), 4) for name in args.only}
    print(json.dumps({**medians, "library": library, "threads": args.threads}))


def median_ms(run, repetitions):
    def timed():
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    runs, spent = 0, 0.0
    while runs < WARM_UP_RUNS or spent < WARM_UP_S:
        spent += timed()
        runs += 1
    return 1000 * statistics.median(timed() for _ in range(repetitions))


def sac_batch(size, observation_size, action_size):
    rng = np.random.default_rng(0)
    return {
        "observation": rng.standard_normal((size, observation_size), np.float32),
        "action": rng.uniform(-1, 1, (size, action_size)).astype(np.float32),
        "reward": rng.standard_normal(size, np.float32),
        "next_observation": rng.standard_normal((size, observation_size), np.float32),
        "discount": np.full(size, 0.99, np.float32),
    }
