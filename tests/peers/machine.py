"""What is measured on, and what processes take: memory, time, durable writes."""

import os
import re
import shutil
import signal
import statistics
import subprocess
import time


def describe(folder):
    """The machine in lines for the page."""
    info = open("/proc/cpuinfo").read()
    model = re.search(r"^model name\s*: (.*)$", info, re.M)
    memory = int(re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read()).group(1))
    return {
        "processor": f"{len(os.sched_getaffinity(0))} cores, {model.group(1) if model else 'unknown'}",
        "memory": f"{memory / 2**20:.0f} GiB",
        "kernel": os.uname().release,
        "file system": file_system(folder),
        "a durable write of 4 KiB": f"{sync_ms(folder):.2f} ms (append and fdatasync, median of 200)",
    }


def file_system(folder):
    mounts = (line.split(" ")[:3] for line in open("/proc/self/mounts"))
    inside = [(len(point), f"{kind} on {device}") for device, point, kind in mounts if folder.startswith(point)]
    return max(inside)[1]


def sync_ms(folder, times=200):
    path, took = os.path.join(folder, "fdatasync"), []
    with open(path, "wb", buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(b"Z" * 4096)
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1e3)
    os.remove(path)
    return statistics.median(took)


def busy(seconds=1.0):
    """The part of all cores that somebody works on, in percent, while we do nothing."""

    def ticks():
        words = [int(word) for word in open("/proc/stat").readline().split()[1:9]]
        return sum(words), words[3] + words[4]

    (all_before, idle_before), _ = ticks(), time.sleep(seconds)
    all_after, idle_after = ticks()
    return 100 * (1 - (idle_after - idle_before) / max(1, all_after - all_before))


def tree(pids):
    """These processes and all below them."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = open(f"/proc/{name}/stat").read()
        except OSError:
            continue  # it has just ended
        parents.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(name))
    found, queue = [], list(pids)
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(parents.get(pid, []))
    return found


def memory_mb(pids):
    """Their share of memory (PSS): what several have in common is counted once."""
    total = 0
    for pid in tree(pids):
        try:
            total += int(re.search(r"^Pss:\s+(\d+)", open(f"/proc/{pid}/smaps_rollup").read(), re.M).group(1))
        except (OSError, AttributeError):
            continue
    return total / 1024


def syncs(pids, work):
    """How often these processes ask the disk to keep what was written while `work()` is done; None: nobody can tell."""
    if shutil.which("strace") is None:
        return None
    # A thread that begins later is followed, too.
    command = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync,sync_file_range,msync"]
    for pid in tree(pids):
        command += ["-p", str(pid)]
    tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    if tracer.poll() is not None:
        return None
    work()
    tracer.send_signal(signal.SIGINT)
    _, told = tracer.communicate(timeout=60)
    # % time, seconds, usecs/call, calls, [errors,] syscall
    counted = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", told, re.M)
    return {name: int(calls) for calls, name in counted if name != "total"}
