"""CPU time of a training step, forward and backward, of a config: to compare two versions of recpair.

    PYTHONPATH=CHECKOUT python benchmarks/steps.py CONFIG --data DATA [SECTION.KEY=VALUE …]

Prints the least CPU time of a step (one thread, milliseconds) over rounds of steps on the same batches. On a busy machine,
CPU time varies less than elapsed time; run both versions alternately, several times, and compare the least values.
"""

import argparse
import itertools
import os
import time

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--data", default="data")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=8)
    given = parser.parse_args()
    os.environ["RECPAIR_DATA"] = given.data

    import torch

    import recpair
    from recpair.seeds import isolated

    try:
        from recpair.experiment.build import build
        from recpair.experiment.prepare import prepare
    except ImportError:  # before the folder experiment/
        from recpair.experiment import build, prepare

    torch.set_num_threads(1)
    config = recpair.load_config(given.config, ["tracking=null", *given.overrides])
    splits = prepare(config)
    components = build(config, splits)
    objective = components.objective.train()
    objective.prepare()
    batches = list(itertools.islice(components.sampler.epoch(1), given.steps))
    best = float("inf")
    with isolated(0):
        for _ in range(given.rounds):
            started = time.process_time()
            for batch in batches:
                objective.zero_grad(set_to_none=True)
                objective(**vars(batch), epoch=1)["loss"].backward()
            best = min(best, (time.process_time() - started) / len(batches))
    print(f"{1000 * best:.3f} ms of CPU a step")


if __name__ == "__main__":
    main()
