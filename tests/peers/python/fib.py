#!/usr/bin/env python3
"""Fibonacci as a program: what a procedure would call instead of computing."""

import sys


def fibonacci(n):
    return n if n <= 1 else fibonacci(n - 1) + fibonacci(n - 2)


print(fibonacci(int(sys.argv[1])))
