"""What was measured as text for a terminal, and as the page docs/benchmarks.md."""

import statistics

# Key, title, unit, digits, where more is better.
ROWS = [
    ("latency_ms", "one run of 10 steps", "ms", 1),
    ("runs_s", "64 runs of 10 steps at once", "runs/s", 1),
    ("steps_s", "the same, in steps", "steps/s", 0),
    ("short_runs_s", "1-step runs, 64 at once", "runs/s", 1),
    ("crowd_s", "1,000 runs that wait 10 s: all ended after", "s", 1),
    ("late_ms", "how late they ended (median)", "ms", 0),
    ("late_99_ms", "how late they ended (99 of 100)", "ms", 0),
    ("crowd_mb", "memory of the server meanwhile (peak)", "MB", 0),
    ("idle_mb", "memory of the server before", "MB", 0),
    ("light_s", "40 tasks of fib 10, one after the other", "s", 2),
    ("long_s", "10 tasks of fib 33, one after the other", "s", 2),
    ("light_exec_s", "40 tasks of fib 10, each a Python program", "s", 2),
    ("long_exec_s", "10 tasks of fib 33, each a Python program", "s", 2),
]
WORKLOAD_OF = {
    "latency_ms": "latency", "runs_s": "parallel", "steps_s": "parallel", "short_runs_s": "short",
    "crowd_s": "crowd", "late_ms": "crowd", "late_99_ms": "crowd", "crowd_mb": "crowd", "idle_mb": "crowd",
    "light_s": "tasks", "long_s": "tasks", "light_exec_s": "tasks", "long_exec_s": "tasks",
}  # fmt: skip
# What, ours, theirs, key, at least so many times as good.
TARGETS = [
    ("steps/s at 64 runs, beside Restate", "windlass", "restate", "steps_s", 15),
    ("steps/s at 64 runs, beside DBOS on SQLite", "windlass", "dbos", "steps_s", 15),
    ("steps/s at 64 runs, both on PostgreSQL, beside DBOS", "windlass-postgres", "dbos-postgres", "steps_s", 8),
    ("time of one run's 10 steps, beside Restate", "windlass", "restate", "latency_ms", 5),
]
LESS_IS_BETTER = ("latency_ms",)


def values(product, key):
    return [round_["found"][key] for round_ in product["rounds"] if key in round_["found"]]


def median(product, key):
    found = values(product, key)
    return statistics.median(found) if found else None


def number(value, digits):
    return f"{value:,.{digits}f}"


def brief(found):
    parts = [f"{found[key]:,.1f} {unit}" for key, _, unit, _ in ROWS[:4] if key in found]
    return ", ".join(parts) or "nothing"


def cell(product, key, digits):
    if "not_run" in product or not product["rounds"]:
        return "NOT RUN"
    found = values(product, key)
    if found:
        spread = f" ({number(min(found), digits)}–{number(max(found), digits)})" if len(found) > 1 else ""
        return number(statistics.median(found), digits) + spread
    wrong = {name for round_ in product["rounds"] for name in round_["wrong"]}
    return "FAILED" if wrong & {WORKLOAD_OF[key], "start"} else "–"


def ratios(measured):
    """Each target: what, its factor, what came out (None: nothing), and a word for it."""
    for what, ours, theirs, key, wanted in TARGETS:
        left, right = (measured["products"].get(name, {"rounds": []}) for name in (ours, theirs))
        left, right = median(left, key), median(right, key)
        if not left or not right:
            yield what, wanted, None, "NOT RUN"
            continue
        ratio = right / left if key in LESS_IS_BETTER else left / right
        yield what, wanted, ratio, "met" if ratio >= wanted else "MISSED"


def rows(measured):
    products = measured["products"].values()
    for key, title, unit, digits in ROWS:
        cells = [cell(product, key, digits) for product in products]
        if any(text != "–" for text in cells):
            yield [f"{title}, {unit}", *cells]


def terminal(measured):
    lines = ["", f"Medians of {measured['rounds']} (lowest–highest)"]
    for title, *cells in rows(measured):
        lines.append(title)
        lines += [
            f"    {product['title']:<22} {text}" for product, text in zip(measured["products"].values(), cells)
        ]
    lines += [f"    {line}".replace("**", "") for line in troubles(measured)]
    lines += ["", "Targets"]
    for what, wanted, ratio, word in ratios(measured):
        told = "–" if ratio is None else f"{ratio:.1f} ×"
        lines.append(f"    {word:<8} {told:>9}  (at least {wanted} ×)  {what}")
    lines += [f"bench-peers: {product['title']} is NOT RUN: {product['not_run']}"
              for product in measured["products"].values() if "not_run" in product]  # fmt: skip
    return "\n".join(lines)


def table(head, body):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in body])


def counted(product):
    found = next((round_["found"].get("syncs") for round_ in product["rounds"] if round_["found"].get("syncs")), None)
    return ", ".join(f"{number(calls, 1)} {name}" for name, calls in sorted(found.items())) if found else "not counted"


def troubles(measured):
    for product in measured["products"].values():
        if "not_run" in product:
            yield f"- **{product['title']} was NOT RUN:** {product['not_run']}"
        for index, round_ in enumerate(product["rounds"]):
            for name, error in round_["wrong"].items():
                yield f"- **{product['title']}, {name} (round {index + 1}):** {one_line(error)}"
        failed = sum(round_["found"].get("failed", 0) + round_["found"].get("short_failed", 0) for round_ in product["rounds"])
        if failed:
            yield f"- **{product['title']}:** {failed} runs at 64 at once failed and aren't counted."


def one_line(text):
    return " ".join(text.split())[:300]


def page(measured):
    products = measured["products"].values()
    others = [value for product in products for value in values(product, "others_percent")]
    busy = f"median {statistics.median(others):.0f} %, at most {max(others):.0f} %" if others else "unknown"
    machine = {**measured["machine"], "all cores just before each turn were busy with other work": busy}
    machine["settings of this run"] = (
        f"rounds {measured['rounds']}, with waits and tasks {measured['heavy_rounds']}; a rate is measured for "
        f"{measured['seconds']:g} s; given up after {measured['patience']:g} s (by default 5, 5, 5 s, 180 s)"
    )
    targets = [
        [what, f"≥ {wanted} ×", "–" if ratio is None else f"{ratio:.1f} ×", word if word == "met" else f"**{word}**"]
        for what, wanted, ratio, word in ratios(measured)
    ]
    doubts = []
    if others and statistics.median(others) > 10:
        doubts.append(
            f"**The machine was shared while this was measured** (before each turn its cores were busy with other work: {busy}): these "
            "numbers are those of a crowded machine, and ratios may be those of a lucky or unlucky neighbour."
        )
    if measured["rounds"] < 5:
        doubts.append(f"**Only {measured['rounds']} of the 5 rounds of a whole run were done.**")
    wrong = "\n".join(troubles(measured)) or "Nothing: every product did every workload in every round."
    return PAGE.format(
        date=measured["date"],
        doubts="".join(f"\n{doubt}\n" for doubt in doubts),
        rounds=measured["rounds"],
        seconds=f"{measured['seconds']:g}",
        heavy_rounds=measured["heavy_rounds"],
        patience=f"{measured['patience']:g}",
        minutes=f"{measured['minutes']:.0f}",
        machine="\n".join(f"- {name}: {text}" for name, text in machine.items()),
        targets=table(["what", "target", "measured", ""], targets),
        table=table(["", *(product["title"] for product in products)], rows(measured)),
        wrong=wrong,
        products=table(
            ["product", "version", "durability", "syncs of one run of 10 steps"],
            [[p["title"], p.get("version", "–"), p["durability"], counted(p)] for p in products],
        ),
    )


PAGE = """\
# Benchmarks beside the peers

Written by `make bench-peers` on {date}, in {minutes} minutes; another machine writes other numbers. The engine alone, without a network:
`make bench` ([performance](reference/performance.md)).

All products run in turn (never two at once) on one machine and one disk, over loopback, each started as its own documentation starts it
and with its default durability. Each of {rounds} rounds starts all of them anew with empty databases, another one first each time.
{doubts}
## Targets

Ratios of the medians. A target that isn't met is shown as MISSED.

{targets}

## Numbers

Medians of {rounds} rounds (lowest–highest); waits and tasks are from {heavy_rounds}. FAILED is explained below.

{table}

Fib on PostgreSQL is left out: computing doesn't depend on the database.

What went wrong (what isn't done after {patience} s is given up, and isn't tried in later rounds):

{wrong}

## Machine

{machine}

Where other work takes much of the cores, all numbers are lower and spread more. Ratios suffer less, as all products had the same
neighbours, but not necessarily at the same moment.

## Products and their durability

{products}

Syncs are counted by `strace` in the product's processes (PostgreSQL's included) during four single runs: calls of `fsync`, `fdatasync`,
`msync` and `sync_file_range`, divided by four. They are what tells a synced commit from a promise. A count above zero doesn't say that each step
waits for one; what a step waits for is from the product's documentation, configuration or source.

## Workloads

A step returns a random number, and is recorded before the next one begins.

| workload | what is done |
|---|---|
| one run of 10 steps | a client starts a run and waits for its end, again and again; median |
| 64 runs of 10 steps | 64 clients, each starting a run when its last one has ended, for {seconds} s and at least one run each |
| 1-step runs | the same, with one step |
| 1,000 runs that wait 10 s | started as fast as 64 clients can (libraries: at once), each waits durably; lateness counts from when the start was accepted |
| tasks | Windmill's own method: 40 light (fib 10) and 10 long (fib 33) tasks, one after the other in one run, each a step |

How each is driven: Windlass, built as for a server (`make dist`), over its HTTP API with 64 kept connections, and one stream of events tells
the clients which runs have ended. Restate over HTTP through its ingress with 64 kept connections, by the same client program; its service
runs on Node. DBOS and Prefect are libraries: their client is a Python process with 64 threads that calls the workflow's function, as
their documentation does.

Settings that aren't the defaults: ports and folders; telemetry is off; Windlass' bounds of computing are raised for fib 33, and
it may start the one program; Prefect's tasks keep their results; DBOS logs only errors (Restate's service logs each run, as by default).

Memory is the products' share (PSS) of what serves and executes: Restate with its Node service, DBOS and Prefect with the Python process
that is also the client, those on PostgreSQL with its processes.

## What this comparison doesn't say

- **Languages differ.** Windlass' and Restate's servers are compiled; DBOS and Prefect run here in Python, which bounds them at 64 runs. DBOS has
  SDKs in other languages, which aren't measured and may be faster. Windlass' scripts are interpreted, and can call only what it offers: no SDK, no library.
- **A step is cheap here.** Where each step takes a second, all of these products take ten seconds for ten steps.
- **fib measures the language**, not the engine: Rhai is an interpreter without a compiler behind it, Node has one, Python lies between. A procedure
  that has to compute calls a program; the rows with a Python program show what that costs, the interpreter's start included.
- **One machine.** Restate replicates its log and Prefect schedules on many workers; neither is of use here, and neither is measured. A
  client on the same machine takes processor time from what it measures.
- **Not the same promises.** Prefect's numbers aren't those of synced steps (see above), and its wait is a sleeping coroutine: it is gone with the process,
  where the others' waits are kept in a database.
- **Not the same way in.** A library has no network between it and its caller. Windlass and Restate have one.
- **Only the defaults.** Each product can be tuned: Restate's partitions, PostgreSQL's buffers, DBOS' pool. None is tuned here, Windlass included.
- **Little data.** Steps' results are small and databases new. Nothing is said about a million old runs.
"""
