"""The workloads as Prefect flows, against the server that PREFECT_API_URL names."""

import asyncio
import random
import time

import driver
from prefect import flow, task


def fibonacci(n):
    return n if n <= 1 else fibonacci(n - 1) + fibonacci(n - 2)


# By default Prefect forgets a task's result with the process. Its documentation's way to keep it is to say so. What is
# kept is found by the task's arguments: each step has its number, else nine of ten would only be looked up.
@task(persist_result=True)
def step(_number):
    return random.random()


@task(persist_result=True)
def fib_task(_number, n):
    return fibonacci(n)


@flow
def steps(count):
    for number in range(count):
        step(number)


@flow
def fib(tasks, n):
    for number in range(tasks):
        fib_task(number, n)


@flow
async def wait(ms):
    await asyncio.sleep(ms / 1000)


WORKFLOWS = {"bench/steps": steps, "bench/fib": fib}


def call(workflow, given):
    WORKFLOWS[workflow](**given)


def crowd(workflow, given, runs):
    async def one():
        began = time.perf_counter()
        await wait(**given)
        return time.perf_counter() - began

    async def all_of_them():
        return await asyncio.gather(*(one() for _ in range(runs)))

    return asyncio.run(all_of_them())


if __name__ == "__main__":
    driver.serve(call, crowd)
