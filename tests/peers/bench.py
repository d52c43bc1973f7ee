"""Measures Windlass beside what a user would pick instead: `make bench-peers` (options: ARGS="--help").

Each round starts each product anew with an empty database, all on one disk, one after the other and never two at once.
"""

import argparse
import glob
import json
import os
import shutil
import signal
import statistics
import sys
import threading
import time

import machine
import report
from products import PRODUCTS, Late, Unable

LIGHT, LONG = {"tasks": 40, "n": 10}, {"tasks": 10, "n": 33}
STEPS, CROWD, WAIT_MS, CLIENTS = 10, 1000, 10_000, 64


def latency(product, seconds):
    """One run of ten steps, again and again."""
    order = {"do": "latency", "workflow": "bench/steps", "input": {"count": STEPS}}
    first = product.order(runs=3, **order)["ms"]
    # Whoever takes a second for each is asked less often.
    runs = max(5, min(50, int(seconds * 1e3 / max(1, statistics.median(first)))))
    yield {"latency_ms": statistics.median(product.order(runs=runs, **order)["ms"])}


def rate(product, count, seconds):
    answer = product.order(
        do="rate", workflow="bench/steps", input={"count": count}, clients=CLIENTS, seconds=seconds
    )
    return answer["runs"] / answer["seconds"], answer.get("failed", 0)


def parallel(product, seconds):
    runs, failed = rate(product, STEPS, seconds)
    yield {"runs_s": runs, "steps_s": runs * STEPS, "failed": failed}


def short(product, seconds):
    runs, failed = rate(product, 1, seconds)
    yield {"short_runs_s": runs, "short_failed": failed}


def crowd(product, _seconds):
    """Many who wait, and what they cost meanwhile."""
    before, peak, over = machine.memory_mb(product.servers), [0.0], threading.Event()

    def watch():
        while not over.wait(1.0):
            peak[0] = max(peak[0], machine.memory_mb(product.servers))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        answer = product.order(
            do="crowd", workflow="bench/wait", input={"ms": WAIT_MS}, clients=CLIENTS, runs=CROWD
        )
    finally:
        over.set()
        watcher.join()
    late = sorted(took - WAIT_MS for took in answer["took_ms"])
    yield {
        "crowd_s": answer["seconds"],
        "late_ms": statistics.median(late),
        "late_99_ms": late[int(len(late) * 0.99) - 1],
        "idle_mb": before,
        "crowd_mb": peak[0],
    }


def tasks(product, _seconds):
    """Windmill's method: tasks one after the other, light ones and long ones."""

    def seconds_of(workflow, given):
        return product.order(do="latency", workflow=workflow, input=given, runs=1)["ms"][0] / 1e3

    yield {"light_s": seconds_of("bench/fib", LIGHT)}
    if product.name.startswith("windlass"):
        yield {"light_exec_s": seconds_of("bench/fib-exec", LIGHT)}
        yield {"long_exec_s": seconds_of("bench/fib-exec", LONG)}
    yield {"long_s": seconds_of("bench/fib", LONG)}


# What takes long, and hardly differs from round to round.
HEAVY = ("tasks", "crowd")
# What has failed once isn't tried in later rounds.
GIVEN_UP = set()
WORKLOADS = {"latency": latency, "parallel": parallel, "short": short, "tasks": tasks, "crowd": crowd}


def turn(product, folder, options, round_):
    """One product's turn: all of its numbers, and what went wrong."""
    found, wrong = {"others_percent": machine.busy()}, {}
    try:
        product.start(folder)
    except (Unable, OSError) as error:
        return found, {"start": str(error)}
    try:
        for name in options.workloads:
            tired = name in HEAVY and round_ >= options.heavy_rounds
            if (product.name, name) in GIVEN_UP or name in product.leaves_out or tired:
                continue
            began = time.monotonic()
            try:
                # What came before a failure counts.
                for part in WORKLOADS[name](product, options.seconds):
                    found.update(part)
            except (Unable, OSError, KeyError) as error:
                wrong[name] = str(error)
                GIVEN_UP.add((product.name, name))
                if isinstance(error, Late) or product.driver.poll() is not None:
                    product.stop()
                    product.start(f"{folder}-after-{name}")
            found[f"{name}_took_s"] = time.monotonic() - began
        if round_ == 0:
            found["syncs"] = counted(product)
    finally:
        product.stop()
        if not options.keep:
            for left in glob.glob(f"{folder}*"):
                shutil.rmtree(left, ignore_errors=True)
    return found, wrong


def counted(product):
    """How often the disk was asked to keep what was written, for one run of ten steps."""
    order = {"do": "latency", "workflow": "bench/steps", "input": {"count": STEPS}, "runs": 4}
    try:
        found = machine.syncs(product.servers, lambda: product.order(**order))
    except (Unable, OSError) as error:
        print(f"bench-peers: {product.title}: no count of syncs: {error}", file=sys.stderr)
        return None
    return found and {name: calls / 4 for name, calls in found.items()}


def main():
    names = [kind.name for kind in PRODUCTS]
    parser = argparse.ArgumentParser(description="Measures Windlass beside its peers, in one run on one disk.")
    parser.add_argument("--only", default=",".join(names), help=f"products, of {','.join(names)}")
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help=f"of {','.join(WORKLOADS)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is done (default: 5)")
    parser.add_argument("--heavy-rounds", type=int, default=5, help=f"rounds with {' and '.join(HEAVY)} (default: 5)")
    parser.add_argument("--seconds", type=float, default=5, help="how long each rate is measured (default: 5)")
    parser.add_argument("--patience", type=float, default=180, help="seconds until a workload is given up (default: 180)")
    parser.add_argument("--folder", default="target/peers", help="where peers are installed and databases are kept")
    parser.add_argument("--windlass", required=True, help="the release binary")
    parser.add_argument("--load", required=True, help="the binary windlass-load")
    parser.add_argument("--write", metavar="FILE", help="the page to write; only a whole run may be kept")
    parser.add_argument("--keep", action="store_true", help="leave databases and logs behind")
    options = parser.parse_args()
    options.folder, options.windlass, options.load = map(
        os.path.abspath, (options.folder, options.windlass, options.load)
    )
    options.workloads = options.workloads.split(",")
    chosen = options.only.split(",")
    strange = [name for name in chosen if name not in names] + [n for n in options.workloads if n not in WORKLOADS]
    if strange:
        parser.error(f"unknown: {', '.join(strange)}")
    # Told to end, it stops what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.makedirs(options.folder, exist_ok=True)
    measured = measure([kind(options) for kind in PRODUCTS if kind.name in chosen], options)
    print(report.terminal(measured))
    if options.write and set(chosen) == set(names) and set(options.workloads) == set(WORKLOADS):
        with open(options.write, "w") as file:
            file.write(report.page(measured))
        print(f"bench-peers: wrote {options.write}")
    elif options.write:
        print(f"bench-peers: {options.write} is left as it was: this wasn't a whole run")


def measure(products, options):
    print("bench-peers: installing", flush=True)
    kinds, ready = {}, []
    for product in products:
        kinds[product.name] = entry = {"title": product.title, "durability": product.durability, "rounds": []}
        try:
            product.install()
            entry["version"] = product.version()
            ready.append(product)
        except (Unable, OSError, KeyError) as error:
            entry["not_run"] = str(error)
            print(f"bench-peers: {product.title} is NOT RUN: {error}", file=sys.stderr, flush=True)
    runs = os.path.join(options.folder, "runs")
    shutil.rmtree(runs, ignore_errors=True)
    os.makedirs(runs)
    began = time.monotonic()
    measured = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine.describe(runs),
        "rounds": options.rounds,
        "heavy_rounds": min(options.rounds, options.heavy_rounds),
        "seconds": options.seconds,
        "patience": options.patience,
        "workloads": options.workloads,
        "products": kinds,
    }
    for round_ in range(options.rounds):
        # Nobody is always first.
        order = ready[round_ % max(1, len(ready)):] + ready[: round_ % max(1, len(ready))]
        for product in order:
            started = time.monotonic()
            found, wrong = turn(product, os.path.join(runs, f"{product.name}-{round_}"), options, round_)
            kinds[product.name]["rounds"].append({"found": found, "wrong": wrong})
            took = time.monotonic() - started
            print(f"bench-peers: round {round_ + 1}: {product.title}: {report.brief(found)} ({took:.0f} s)", flush=True)
            for name, error in wrong.items():
                print(f"bench-peers: {product.title}: {name} FAILED: {error}", file=sys.stderr, flush=True)
        # What is there is kept, should the next round be broken off.
        measured["minutes"], measured["done"] = (time.monotonic() - began) / 60, round_ + 1
        with open(os.path.join(options.folder, "results.json"), "w") as file:
            json.dump(measured, file, indent=1)
    return measured


if __name__ == "__main__":
    main()
