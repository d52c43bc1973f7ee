"""What the drivers of peers that are libraries share: orders come as lines of JSON, each is answered with one.

The same words as `windlass-load`; see README.md.
"""

import json
import sys
import threading
import time


def serve(call, crowd):
    """`call(workflow, input)` runs a workflow to its end.

    `crowd(workflow, input, runs)` starts so many at once; how long each took from its acceptance to its end, in seconds.
    """
    answers, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = obey(order, call, crowd)
        except Exception as error:  # whatever it is, whoever asked wants to know
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps(answer), file=answers, flush=True)


def obey(order, call, crowd):
    workflow, given = order["workflow"], order["input"]
    if order["do"] == "latency":
        return {"ms": [timed(call, workflow, given) * 1e3 for _ in range(order["runs"])]}
    if order["do"] == "rate":
        return rate(call, workflow, given, order["clients"], order["seconds"])
    began = time.perf_counter()
    took = crowd(workflow, given, order["runs"])
    return {"seconds": time.perf_counter() - began, "took_ms": [seconds * 1e3 for seconds in took]}


def timed(call, workflow, given):
    began = time.perf_counter()
    call(workflow, given)
    return time.perf_counter() - began


def rate(call, workflow, given, clients, seconds):
    began, done, errors = time.perf_counter(), [0] * clients, []

    def client(number):
        while True:
            try:
                call(workflow, given)
                done[number] += 1
            except Exception as error:
                errors.append(error)
            if time.perf_counter() - began >= seconds:
                return

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not any(done):
        raise errors[0]
    return {"runs": sum(done), "failed": len(errors), "seconds": time.perf_counter() - began}
