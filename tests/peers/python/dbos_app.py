"""The workloads as DBOS workflows: `dbos_app.py URL-OF-ITS-DATABASE`."""

import asyncio
import random
import sys
import time

import driver
from dbos import DBOS, DBOSConfig


def fibonacci(n):
    return n if n <= 1 else fibonacci(n - 1) + fibonacci(n - 2)


@DBOS.step()
def step():
    return random.random()


@DBOS.step()
def fib_step(n):
    return fibonacci(n)


@DBOS.workflow()
def steps(count):
    for _ in range(count):
        step()


@DBOS.workflow()
def fib(tasks, n):
    for _ in range(tasks):
        fib_step(n)


@DBOS.workflow()
async def wait(ms):
    await DBOS.sleep_async(ms / 1000)


WORKFLOWS = {"bench/steps": steps, "bench/fib": fib, "bench/wait": wait}


def call(workflow, given):
    WORKFLOWS[workflow](**given)


def crowd(workflow, given, runs):
    async def one():
        handle = await DBOS.start_workflow_async(WORKFLOWS[workflow], **given)
        began = time.perf_counter()
        await handle.get_result()
        return time.perf_counter() - began

    async def all_of_them():
        return await asyncio.gather(*(one() for _ in range(runs)))

    return asyncio.run(all_of_them())


if __name__ == "__main__":
    config: DBOSConfig = {"name": "windlass-bench", "system_database_url": sys.argv[1], "log_level": "ERROR"}
    DBOS(config=config)
    DBOS.launch()
    driver.serve(call, crowd)
    DBOS.destroy()
