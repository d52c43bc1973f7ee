"""The products: how each is installed, started as its documentation says, and stopped."""

import json
import os
import pwd
import re
import select
import shutil
import socket
import subprocess
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))


class Unable(Exception):
    """It can't be measured here, and why."""


class Late(Unable):
    """It was still at it when patience ended; nothing else can be asked of it."""


def free_port():
    with socket.socket() as socket_:
        socket_.bind(("127.0.0.1", 0))
        return socket_.getsockname()[1]


def shell(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        raise Unable(f"`{' '.join(command)}` failed: {done.stdout.strip()[-400:]}")
    return done.stdout


def await_http(url, process, seconds=90):
    """Until it answers at all."""
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        if process.poll() is not None:
            raise Unable(f"it ended at once, with {process.returncode}")
        try:
            return urllib.request.urlopen(url, timeout=2).read()
        except OSError:
            time.sleep(0.1)
    raise Unable(f"{url} was silent for {seconds} s")


def environment(**more):
    """Ours, without what would steer the products."""
    words = ("WINDLASS_", "RESTATE_", "DBOS_", "PREFECT_", "PG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(words)}
    return {**kept, "DO_NOT_TRACK": "1", **more}


class Product:
    """One product in a folder. `servers` are the processes whose memory counts; `driver` takes orders."""

    name = title = durability = ""
    # Workloads that would say nothing new.
    leaves_out = ()

    def __init__(self, options):
        self.options, self.processes, self.servers, self.driver = options, [], [], None

    def install(self):
        """Puts it into its folder, and finds out its version."""

    def version(self):
        return ""

    def begin(self, folder):
        """Starts it with everything of its in this folder."""

    def start(self, folder):
        os.makedirs(folder)
        try:
            self.begin(folder)
        except BaseException:
            self.stop()
            raise

    def spawn(self, command, folder, log, server=True, **options):
        out = options.pop("stdout", None)
        with open(os.path.join(folder, f"{log}.log"), "wb") as file:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out or file, stderr=file, **options)
        self.processes.append(process)
        if server:
            self.servers.append(process.pid)
        return process

    def drive(self, command, folder, server=False, **options):
        self.driver = self.spawn(command, folder, "driver", server, stdout=subprocess.PIPE, **options)
        self.hear()

    def hear(self, seconds=60):
        if not select.select([self.driver.stdout], [], [], seconds)[0]:
            raise Late(f"not done after {seconds} s")
        line = self.driver.stdout.readline()
        if not line:
            raise Unable("its driver ended; see driver.log")
        return json.loads(line)

    def order(self, **order):
        """Has the driver do it."""
        self.driver.stdin.write((json.dumps(order) + "\n").encode())
        self.driver.stdin.flush()
        answer = self.hear(self.options.patience)
        if "error" in answer:
            raise Unable(answer["error"])
        return answer

    def stop(self):
        # Last come, first gone: the driver, then what it needs.
        for process in reversed(self.processes):
            process.stdin.close()
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes, self.servers, self.driver = [], [], None

    def postgres(self, folder):
        """A PostgreSQL with the settings that `initdb` makes; its URL."""
        versions = "/usr/lib/postgresql"
        found = sorted(os.listdir(versions)) if os.path.isdir(versions) else []
        if not found:
            raise Unable("PostgreSQL isn't installed (Debian: postgresql)")
        bin_ = f"{versions}/{found[-1]}/bin"
        data, port, who = os.path.join(folder, "postgres"), free_port(), {}
        os.makedirs(data)
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(data, user.pw_uid, user.pw_gid)
            who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        shell([f"{bin_}/initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "-D", data], cwd=data, **who)
        command = [f"{bin_}/postgres", "-D", data, "-k", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
        server = self.spawn(command, folder, "postgres", cwd=data, **who)
        ready = [f"{bin_}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready).returncode:
            if server.poll() is not None:
                raise Unable("PostgreSQL ended; see postgres.log")
            time.sleep(0.1)
        sql = [f"{bin_}/psql", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-c", "CREATE DATABASE bench"]
        shell(sql)
        return f"postgres://postgres@127.0.0.1:{port}/bench"


class Windlass(Product):
    name, title = "windlass", "Windlass, SQLite"
    durability = (
        "Synced before the script sees a step's result: WAL, and an `fdatasync` of it after each commit; steps that end at the "
        "same time share one commit."
    )
    on_postgres = False

    def version(self):
        number = shell([self.options.windlass, "version"], env=environment()).split("\n")[0].strip()
        return number if not self.on_postgres else f"{number}; {postgres_version()}"

    def begin(self, folder):
        shutil.copytree(os.path.join(HERE, "workflows"), os.path.join(folder, "workflows"))
        program = os.path.join(folder, "fib-program")
        shutil.copy(os.path.join(HERE, "python", "fib.py"), program)
        os.chmod(program, 0o755)
        database = f'database = "{self.postgres(folder)}"\n' if self.on_postgres else ""
        with open(os.path.join(folder, "windlass.toml"), "w") as file:
            # fib 33 computes for longer between two steps, and calls itself more deeply, than a script may by default.
            file.write(
                f'{database}[bounds]\nscript_operations = 4000000000\nscript_cpu_ms = 600000\nscript_call_levels = 64\n'
                f'[hosts.exec]\nprograms = ["{program}"]\n'
                '[policy]\n"bench/*" = ["kv.*:bench/*", "exec.run:fib-program"]\n'
            )
        command = [self.options.windlass, "--json", "--data", os.path.join(folder, "data")]
        command += ["dev", "--listen", "127.0.0.1:0"]
        server = self.spawn(command, folder, "windlass", cwd=folder, env=environment(), stdout=subprocess.PIPE)
        told, ready, last = "", None, time.monotonic() + 60
        # One object, on many lines, of which others may end like it.
        while ready is None:
            line = server.stdout.readline().decode()
            if not line or time.monotonic() > last:
                raise Unable("`windlass dev` didn't start; see windlass.log")
            told += line
            try:
                ready = json.loads(told)
            except json.JSONDecodeError:
                continue
        self.drive([self.options.load, "windlass", ready["address"], ready["token"]], folder)


class WindlassPostgres(Windlass):
    name, title = "windlass-postgres", "Windlass, PostgreSQL"
    durability = "Synced before the script sees a step's result: PostgreSQL as `initdb` makes it (fsync and synchronous_commit on)."
    on_postgres = True
    leaves_out = ("tasks",)


class Restate(Product):
    name, title = "restate", "Restate"
    durability = (
        "Synced: the replicated log (Bifrost) on one node with the server's own defaults, `rocksdb-disable-wal-fsync = false`."
    )

    def install(self):
        folder = os.path.join(self.options.folder, "restate")
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(os.path.join(HERE, "restate")):
            shutil.copy(os.path.join(HERE, "restate", name), folder)
        shell(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
        self.folder = folder

    def version(self):
        def number(name):
            path = os.path.join(self.folder, "node_modules/@restatedev", name, "package.json")
            return json.load(open(path))["version"]

        node = shell(["node", "--version"]).strip()
        return f"server {number('restate-server')}, SDK {number('restate-sdk')} on Node {node}"

    def begin(self, folder):
        ingress, admin, node, service = (free_port() for _ in range(4))
        here = lambda port: f"127.0.0.1:{port}"  # noqa: E731
        settings = environment(
            RESTATE_INGRESS__BIND_ADDRESS=here(ingress),
            RESTATE_ADMIN__BIND_ADDRESS=here(admin),
            RESTATE_BIND_ADDRESS=here(node),
            RESTATE_ADVERTISED_ADDRESS=f"http://{here(node)}",
            RESTATE_DISABLE_TELEMETRY="true",
        )
        binary = os.path.join(self.folder, "node_modules/.bin/restate-server")
        command = [binary, "--listen-mode", "tcp", "--base-dir", os.path.join(folder, "data"), "--no-logo"]
        server = self.spawn(command, folder, "restate", cwd=folder, env=settings)
        self.spawn(["node", os.path.join(self.folder, "service.mjs"), str(service)], folder, "service", env=environment())
        await_http(f"http://{here(admin)}/health", server)
        await_http(f"http://{here(ingress)}/restate/health", server)
        body = json.dumps({"uri": f"http://{here(service)}"}).encode()
        ask = urllib.request.Request(f"http://{here(admin)}/deployments", body, {"content-type": "application/json"})
        for attempt in range(30):
            try:
                urllib.request.urlopen(ask, timeout=20).read()
                break
            except OSError as error:
                if attempt == 29:
                    raise Unable(f"the service can't be registered: {error}")
                time.sleep(0.5)
        self.drive([self.options.load, "restate", here(ingress)], folder)


class Python(Product):
    """What lives in a Python environment of its own."""

    package = ""

    def install(self):
        self.venv = os.path.join(self.options.folder, f"{self.package}-venv")
        python = os.path.join(self.venv, "bin", "python")
        if not os.path.exists(python):
            shell(["python3", "-m", "venv", self.venv])
        wanted = os.path.join(HERE, "python", f"{self.package}.txt")
        shell([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted])
        self.app = [python, os.path.join(HERE, "python", f"{self.package}_app.py")]

    def version(self):
        code = f"import importlib.metadata as m, platform; print(m.version('{self.package}'), 'on Python', platform.python_version())"
        return shell([self.app[0], "-c", code]).strip()


class Dbos(Python):
    name, title, package = "dbos", "DBOS, SQLite", "dbos"
    durability = "Synced: Python's SQLite with its defaults (rollback journal, `synchronous = FULL`), one commit for each step."

    def url(self, folder):
        return f"sqlite:///{folder}/dbos.sqlite"

    def begin(self, folder):
        self.drive([*self.app, self.url(folder)], folder, server=True, env=environment(PYTHONDONTWRITEBYTECODE="1"))


class DbosPostgres(Dbos):
    name, title = "dbos-postgres", "DBOS, PostgreSQL"
    durability = "Synced: PostgreSQL as `initdb` makes it (fsync and synchronous_commit on), one commit for each step."
    leaves_out = ("tasks",)

    def url(self, folder):
        return self.postgres(folder).replace("postgres://", "postgresql://")

    def version(self):
        return f"{super().version()}; {postgres_version()}"


class Prefect(Python):
    name, title, package = "prefect", "Prefect", "prefect"
    durability = (
        "NOT synced: its server's SQLite has `synchronous = NORMAL` in WAL (by its source), and a task's result is a file "
        "that nobody syncs. That states of tasks reach the server later, as events, wasn't checked here. Results are kept (`persist_result=True`): by "
        "default they aren't, and a step would then be no durable step."
    )

    def begin(self, folder):
        port = free_port()
        api = f"http://127.0.0.1:{port}/api"
        settings = environment(
            PREFECT_HOME=os.path.join(folder, "home"),
            PREFECT_API_URL=api,
            PREFECT_SERVER_ANALYTICS_ENABLED="false",
            PYTHONDONTWRITEBYTECODE="1",
        )
        binary = os.path.join(self.venv, "bin", "prefect")
        command = [binary, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        server = self.spawn(command, folder, "prefect", cwd=folder, env=settings)
        await_http(f"{api}/health", server)
        self.drive(self.app, folder, server=True, cwd=folder, env=settings)


def postgres_version():
    found = sorted(os.listdir("/usr/lib/postgresql")) if os.path.isdir("/usr/lib/postgresql") else []
    if not found:
        return "PostgreSQL isn't installed"
    return re.sub(r"^postgres \((\S+)\) (\S+).*$", r"\1 \2", shell([f"/usr/lib/postgresql/{found[-1]}/bin/postgres", "-V"]).strip())


PRODUCTS = [Windlass, Restate, Dbos, WindlassPostgres, DbosPostgres, Prefect]
