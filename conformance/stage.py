"""What the suites stand on: a private PostgreSQL cluster, hoop-pg in front of it, and ways to fetch what a suite needs."""

import os
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
    "listen_addresses=127.0.0.1", "wal_level=logical", "ssl=on", "ssl_cert_file=tls.crt", "ssl_key_file=tls.key",
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

    def __init__(self, gateway_program, postgres, given):
        self.gateway_program, self.postgres, self.given = gateway_program, postgres, given
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

    def start_cluster(self):
        data, self.server_port = self.folder / "data", free_port()
        owner = self.folder / "owner"
        owner.mkdir()
        give_away(owner)
        secret = owner / "password"
        secret.write_text(self.server_password)
        give_away(secret)
        data = owner / "data"
        initdb = [self.postgres.programs / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", secret,
                  "-E", "UTF8", "--locale=C.UTF-8", "-N"]
        execute(as_server(initdb), self.folder / "initdb.log")
        # For tokio-postgres' tests: users who log in in other ways.
        rules = data / "pg_hba.conf"
        rules.write_text("host all pass_user all password\nhost all md5_user all md5\n" + rules.read_text())
        certificate(data)
        for file in ("tls.key", "tls.crt"):
            give_away(data / file)
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        server = [self.postgres.programs / "postgres", "-D", data, "-p", str(self.server_port), "-k", owner, *settings]
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
  - {{ protocol: postgres, address: "127.0.0.1:{self.gateway_port}", plaintext: loopback, resource: target, tls: {{ certificate: tls.crt, key: tls.key }} }}
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

    def sql(self, sql, database="postgres"):
        """Runs SQL around the gateway."""
        command = [self.postgres.programs / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]
        return output(command, env=self.direct.environment())

    def fresh(self, database):
        """An empty database of that name."""
        self.sql(f"drop database if exists {database} with (force)")
        self.sql(f"create database {database} template template0")


def execute(command, log, **more):
    """Runs a command; what it says goes into a file. Fails with its last lines."""
    with log.open("w") as file:
        done = subprocess.run([str(word) for word in command], stdout=file, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, **more)
    if done.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise Unavailable(f"`{' '.join(map(str, command[:3]))} …` failed:\n{last}")


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
    """For the server and the gateway, each signed by itself."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
               "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
               "-keyout", folder / "tls.key", "-out", folder / "tls.crt"]
    output(command)
    (folder / "tls.key").chmod(0o600)
