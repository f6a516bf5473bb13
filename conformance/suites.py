"""The suites. Each gives the lines in which a run through the gateway differs from a direct one."""

import difflib
import filecmp
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from own import Go, Node, OwnSuite, Perl, Pipelines, Pytest
from registries import from_debian, from_pypi
from stage import HERE, Unavailable, as_server, execute, fetch

MOST_LINES = 60


def regress(stage):
    """PostgreSQL's own regression suite."""
    failed = {way.name: run_regress(stage, way) for way in (stage.direct, stage.through)}
    print(f"failed: direct {sorted(failed['direct'])}, through {sorted(failed['through'])}")
    return regress_differences(stage)


def run_regress(stage, way):
    """The tests that failed."""
    source, build = [place / "src/test/regress" for place in stage.postgres.built("src/test/regress", "regress.so")]
    out = stage.folder / f"regress-{way.name}"
    for folder in [out, out / "results", out / "testtablespace"]:
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
    stage.fresh("regression")
    only = stage.given.tests.split(",") if stage.given.tests else [f"--schedule={source}/parallel_schedule"]
    command = [build / "pg_regress", f"--inputdir={source}", f"--outputdir={out}", f"--bindir={stage.postgres.programs}", f"--dlpath={build}",
               "--host=127.0.0.1", f"--port={way.port}", "--user=postgres", "--max-connections=8", *only]
    log = out / "log"
    mode = {"PGSSLMODE": "require"} if way is stage.through else {}
    with log.open("w") as file:
        # As the server's own user: a test has the server write into a file that the client made.
        subprocess.run([str(word) for word in as_server(command)], stdout=file, stderr=subprocess.STDOUT, env=way.environment(**mode))
    text = log.read_text()
    summary = [line for line in text.splitlines() if re.search(r"tests (passed|failed)|All \d+ tests", line)]
    print(f"{way.name}: {' '.join(summary).strip(' =#') or text[-2000:]}", flush=True)
    return set(re.findall(r"^(?:not ok \d+\s+[-+]|test|     )\s*(\S+)\s.*FAILED", text, re.M)) | set(re.findall(r"^not ok \d+\s+[-+] (\S+)", text, re.M))


def regress_differences(stage):
    direct, through = stage.folder / "regress-direct/results", stage.folder / "regress-through/results"
    names = sorted({file.name for folder in (direct, through) for file in folder.glob("*.out")})
    lines = []
    for name in names:
        lines += file_difference(direct / name, through / name, normal_regress)
    return lines


def normal_regress(text):
    """Without what differs between any two runs."""
    text = re.sub(r"regress-(direct|through)", "regress", text)
    return re.sub(r"(relation|pg_toast_|pg_temp_|OID |_toast_|with OID )\d+", r"\1N", text)


def file_difference(one, other, normal=lambda text: text):
    texts = [normal(file.read_text(errors="replace")) if file.exists() else "(missing)\n" for file in (one, other)]
    if texts[0] == texts[1]:
        return []
    lines = difflib.unified_diff(*[text.splitlines() for text in texts], f"direct/{one.name}", f"through/{other.name}", lineterm="", n=1)
    return ["\n".join(list(lines)[:MOST_LINES])]


def dump(stage):
    """pg_dump, as text and in the directory format with four jobs."""
    database = "regression" if stage.sql("select 1 from pg_database where datname = 'regression' and exists (select)").strip() else None
    if database is None or int(stage.sql("select count(*) from pg_class", "regression")) < 1000:
        regress_database(stage)
    differences = []
    for form in ("plain", "directory"):
        made = [dump_once(stage, way, form) for way in (stage.direct, stage.through)]
        differences += compare_dumps(*made)
    return differences


def regress_database(stage):
    print("filling the database `regression` with the regression suite", flush=True)
    run_regress(stage, stage.direct)


def dump_once(stage, way, form):
    to = stage.folder / f"dump-{form}-{way.name}"
    options = ["-Fd", "-j4", "-Z0"] if form == "directory" else []
    mode = {"PGSSLMODE": "require"} if way is stage.through else {}
    command = [stage.postgres.programs / "pg_dump", *options, "-f", to, "regression"]
    done = subprocess.run([str(word) for word in command], env=way.environment(**mode), stderr=subprocess.PIPE, text=True)
    if done.returncode:
        print(f"{way.name} {form}: {done.stderr.strip()}")
    return to


# pg_dump of late versions writes a random key.
VARIABLE = re.compile(rb"^\\(un)?restrict \S+$", re.M)


def compare_dumps(one, other):
    if not one.exists() or not other.exists():
        return [f"{one.name} or {other.name} was not made"]
    if one.is_file():
        same = VARIABLE.sub(b"", one.read_bytes()) == VARIABLE.sub(b"", other.read_bytes())
        print(f"{one.name}: {one.stat().st_size} bytes")
        return [] if same else file_difference(one, other)
    # The table of contents carries the time of the dump.
    names = sorted({file.name for folder in (one, other) for file in folder.iterdir()} - {"toc.dat"})
    print(f"{one.name}: {len(names)} files")
    return [f"{name} differs" for name in names
            if not ((one / name).exists() and (other / name).exists() and filecmp.cmp(one / name, other / name, shallow=False))]


TOKIO = "0.7.15"


def tokio(stage):
    """tokio-postgres' own tests."""
    crate = stage.cache / f"tokio-postgres-{TOKIO}"
    if not crate.exists():
        archive = fetch(f"https://static.crates.io/crates/tokio-postgres/tokio-postgres-{TOKIO}.crate", stage.cache / "tokio-postgres.crate")
        with tarfile.open(archive) as files:
            files.extractall(stage.cache)
    results = {way.name: run_tokio(stage, crate, way) for way in (stage.direct, stage.through)}
    for name, result in results.items():
        print(f"{name}: {sum(one == 'ok' for one in result.values())} of {sum(one != 'ignored' for one in result.values())} passed")
    names = sorted(set(results["direct"]) | set(results["through"]))
    return [f"{name}: direct {results['direct'].get(name)}, through {results['through'].get(name)}" for name in names
            if results["direct"].get(name) != results["through"].get(name)]


def run_tokio(stage, crate, way):
    tokio_database(stage)
    folder = stage.cache / "tokio-postgres-run"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(crate, folder)
    with (folder / "Cargo.toml").open("a") as manifest:
        manifest.write("\n[workspace]\n")
    for file in (folder / "tests").rglob("*.rs"):
        # The tests name port 5433, and a superuser whom the server lets in without a password.
        text = file.read_text().replace("5433", str(way.port))
        file.write_text(re.sub(r"user=postgres(?! password)", f"user=postgres password={way.password}", text))
    features = "array-impls,with-bit-vec-0_8,with-chrono-0_4,with-eui48-1,with-geo-types-0_7,with-serde_json-1,with-smol_str-01,with-time-0_3,with-uuid-1"
    command = ["cargo", "test", "--features", features, "--test", "test", "--", "--test-threads=4"]
    environment = way.environment(CARGO_TARGET_DIR=str(stage.cache / "tokio-postgres-target"))
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    (stage.folder / f"tokio-{way.name}.log").write_text(done.stdout)
    found = dict(re.findall(r"^test (\S+) \.\.\. (\w+)", done.stdout, re.M))
    if not found:
        raise Unavailable("tokio-postgres' tests do not build:\n" + "\n".join(done.stdout.splitlines()[-15:]))
    return found


def tokio_database(stage):
    """The users and extensions that its tests ask for."""
    stage.fresh("driver")
    for name, kind in [("pass_user", "scram-sha-256"), ("md5_user", "md5"), ("scram_user", "scram-sha-256")]:
        stage.sql(f"do $$ begin if not exists (select from pg_roles where rolname = '{name}') then create role {name} login; end if; end $$")
        stage.sql(f"set password_encryption to '{kind}'; alter role {name} password 'password'")
    for extension in ("hstore", "citext", "ltree"):
        stage.sql(f"create extension if not exists {extension}")
    stage.sql("drop schema if exists foo cascade; create schema foo")


def driver(command, setup):
    """A smoke suite of a driver: the same lines direct and through."""

    def suite(stage):
        arguments = setup(stage)
        texts = {}
        for way in (stage.direct, stage.through):
            stage.fresh("smoke")
            environment = way.environment(PGDATABASE="smoke", **arguments.get("environment", {}))
            done = subprocess.run([str(word) for word in [*arguments["command"], *command]], env=environment,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
            texts[way.name] = done.stdout
            if done.returncode:
                return [f"{way.name}: the suite ended with {done.returncode}: {done.stdout[-1500:]}"]
        print(f"{len(texts['direct'].splitlines())} lines")
        if len(texts["direct"].splitlines()) < 10:
            return [f"the suite says too little: {texts['direct']}"]
        one, other = texts["direct"].splitlines(), texts["through"].splitlines()
        return list(difflib.unified_diff(one, other, "direct", "through", lineterm="", n=1))[:MOST_LINES]

    return suite


def python_with(package, module):
    def setup(stage):
        folder = stage.cache / "python"
        if subprocess.run([sys.executable, "-c", f"import {module}"], env={**os.environ, "PYTHONPATH": str(folder)},
                          stderr=subprocess.DEVNULL).returncode:
            log = stage.cache / f"pip-{module}.log"
            execute([sys.executable, "-m", "pip", "install", "-q", "--target", folder, package], log)
        return {"command": [sys.executable], "environment": {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}}

    return setup


def node_with(package):
    def setup(stage):
        folder = stage.cache / "node"
        folder.mkdir(exist_ok=True)
        if not (folder / "node_modules" / package).exists():
            execute(["npm", "install", "--silent", "--prefix", folder, package, "pg-cursor", "pg-copy-streams"], stage.cache / "npm.log")
        return {"command": ["node", "--no-deprecation"], "environment": {"NODE_PATH": str(folder / "node_modules")}}

    return setup


def java(stage):
    jar = next(iter(Path("/usr/share/java").glob("postgresql.jar")), None) or debian_jar(stage)
    classes = stage.cache / "java"
    classes.mkdir(exist_ok=True)
    if not shutil.which("javac"):
        raise Unavailable("there is no javac; Debian: apt-get install default-jdk-headless")
    execute(["javac", "-cp", jar, "-d", classes, HERE / "drivers/Jdbc.java"], stage.cache / "javac.log")
    return {"command": ["java", "-cp", f"{classes}:{jar}"]}


def debian_jar(stage):
    folder = stage.cache / "jdbc"
    found = list(folder.glob("usr/share/java/postgresql.jar"))
    if not found:
        folder.mkdir(exist_ok=True)
        execute(["apt-get", "download", "libpostgresql-jdbc-java"], stage.cache / "jdbc.log", cwd=folder)
        package = next(folder.glob("*.deb"))
        execute(["dpkg-deb", "-x", package, folder], stage.cache / "jdbc.log")
        found = list(folder.glob("usr/share/java/postgresql.jar"))
    return found[0]


def psql(stage):
    return {"command": ["bash"], "environment": {"PSQL": str(stage.postgres.programs / "psql")}}


# standard_conforming_strings off from the start.
STRINGS = ["test_scs"]
# Users and databases that the gateway's file does not name: its answer does not tell which of them is wrong.
LOGINS = ["test_connection.py", "/auth/"]
DSN = "host={PGHOST} port={PGPORT} user={PGUSER} password={PGPASSWORD} dbname={PGDATABASE} sslmode=disable"
HSTORE = ["create extension hstore"]

SUITES = HERE / "drivers"
ALL = {
    "psql": driver([SUITES / "psql.sh"], psql),
    "regress": regress,
    "dump": dump,
    "libpq-pipeline": OwnSuite(None, Pipelines()),
    "tokio": tokio,
    "psycopg": driver([SUITES / "psycopg_suite.py"], python_with("psycopg[binary]", "psycopg")),
    "asyncpg": driver([SUITES / "asyncpg_suite.py"], python_with("asyncpg", "asyncpg")),
    "asyncpg-tests": OwnSuite(
        # One asks that an error comes back while so many kilobytes are sent, which hangs on the machine.
        from_pypi("asyncpg", "0.32.0", "tests"),
        Pytest("asyncpg", ["asyncpg==0.32.0", "distro", "uvloop"],
               ["tests", "--deselect", "tests/test_execute.py::TestExecuteMany::test_executemany_server_failure_during_writes"])),
    "psycopg2-tests": OwnSuite(
        from_pypi("psycopg2", "2.9.13", "tests"), Pytest("psycopg2", ["psycopg2-binary==2.9.13"], ["tests"]),
        {"PSYCOPG2_TESTDB": "{PGDATABASE}", "PSYCOPG2_TESTDB_HOST": "{PGHOST}", "PSYCOPG2_TESTDB_PORT": "{PGPORT}",
         "PSYCOPG2_TESTDB_USER": "{PGUSER}", "PSYCOPG2_TESTDB_PASSWORD": "{PGPASSWORD}"}, HSTORE, STRINGS),
    "pg8000-tests": OwnSuite(
        from_pypi("pg8000", "1.31.6", "test"),
        Pytest("pg8000", ["pg8000==1.31.6", "pytz", "python-dateutil", "pytest-mock", "pytest-benchmark"],
               ["test/native", "test/dbapi", "test/legacy", "--deselect", "test/native/test_query.py::test_max_parameters"]),
        {}, HSTORE, LOGINS),
    "psycopg-tests": OwnSuite(
        from_debian("psycopg3", "sid"),
        Pytest("psycopg", ["anyio>=4.0", "pproxy>=2.7", "typing-extensions", "numpy", "dnspython"], ["tests", "--ignore=tests/pool", "-m", "not slow"],
               ["psycopg", "psycopg_pool"], {"PSYCOPG_IMPL": "python"}),
        {"PSYCOPG_TEST_DSN": DSN},
        unsteady=["test_wait_remote_closed"]),
    "jdbc": driver(["Jdbc"], java),
    "node-tests": OwnSuite(from_debian("node-postgres", "sid"), Node()),
    "pgx-tests": OwnSuite(
        None,
        Go("pgx", "github.com/jackc/pgx/v5", "github-jackc-pgx-v5", "github-jackc-pgpassfile", "github-jackc-pgservicefile",
           "github-jackc-puddle-v2", "github-stretchr-testify", "github-stretchr-objx", "github-davecgh-go-spew",
           "github-pmezard-go-difflib", "golang-x-sync", "golang-x-text", "gopkg-yaml.v3"),
        {"PGX_TEST_DATABASE": DSN, "PGX_TEST_TCP_CONN_STRING": DSN},
        [*HSTORE, "create extension ltree", "create domain uint64 as numeric(20,0)",
         """drop role if exists " tricky, ' } "" \\\\ test user "; create role " tricky, ' } "" \\\\ test user " superuser"""],
        # Before a server of less than 18 the gateway speaks protocol 3.2 all the same. The other wants rows to come in many reads.
        ["TestConnectProtocolVersion32"], ["TestDriverBytes"]),
    "dbd-pg-tests": OwnSuite(
        from_debian("libdbd-pg-perl", "trixie"), Perl(),
        {"DBI_DSN": "dbi:Pg:dbname={PGDATABASE};host={PGHOST};port={PGPORT}", "DBI_USER": "{PGUSER}", "DBI_PASS": "{PGPASSWORD}"},
        # Whether a cancel request comes before the end of a short statement hangs on speed, as in the next.
        unsteady=["08async.t"]),
    "lib-pq-tests": OwnSuite(None, Go("lib-pq", "github.com/lib/pq", "github-lib-pq"), unsteady=["TestQueryCancelRace"]),
    "pygresql-tests": OwnSuite(
        from_pypi("pygresql", "6.1.0", "tests"), Pytest("pygresql", ["pygresql==6.1.0"], ["tests"]),
        {"PYGRESQL_DB": "{PGDATABASE}", "PYGRESQL_HOST": "{PGHOST}", "PYGRESQL_PORT": "{PGPORT}", "PYGRESQL_USER": "{PGUSER}",
         "PYGRESQL_PASSWD": "{PGPASSWORD}"}, HSTORE),
    "node": driver([SUITES / "node_postgres.js"], node_with("pg")),
}
SHORT = ["psql"]
