"""The own tests of drivers: the same tests pass, and the same fail, direct and through the gateway."""

import json
import re
import shutil
import subprocess
import sys

from registries import Debian
from stage import Unavailable, execute

# Fewer that pass direct: then the suite does not run as it should.
FEWEST = 10


class OwnSuite:
    """A driver's own tests: where their sources are, what runs them, and what they ask of the database.

    `environment` names the driver's own variables, each a text with `{PGHOST}`, `{PGPORT}` and so on in it. `stricter` are tests,
    each a part of its name, that ask for what the gateway refuses and says so (README.md); `unsteady` are tests that come out
    otherwise from one direct run to the next."""

    def __init__(self, sources, runner, environment={}, sql=(), stricter=(), unsteady=()):
        self.sources, self.runner, self.environment, self.sql = sources, runner, environment, sql
        self.stricter, self.unsteady = stricter, unsteady

    def __call__(self, stage):
        run = self.runner(stage, self.sources(stage) if self.sources else None)
        results = [self.results(stage, way, run) for way in (stage.direct, stage.through)]
        if sum(result == "ok" for result in results[0].values()) < FEWEST:
            raise Unavailable(f"the tests do not run; what they say is in {stage.folder} (--keep)")
        return self.differences(*results)

    def results(self, stage, way, run):
        """What became of each test, by its name."""
        stage.fresh("driver")
        for statement in self.sql:
            stage.sql(statement, "driver")
        # Without TLS on either way: what a driver does with its transport is no difference of ours.
        environment = way.environment(PGDATABASE="driver", PGSSLMODE="disable", PYTHONDONTWRITEBYTECODE="1")
        environment.update({name: text.format(**environment) for name, text in self.environment.items()})
        results = run(environment, stage.folder / f"{self.runner.name}-{way.name}.log")
        counts = [f"{list(results.values()).count(word)} {word}" for word in sorted(set(results.values()), reverse=True)]
        print(f"{way.name}: {', '.join(counts)}", flush=True)
        return results

    def differences(self, direct, through):
        other = [name for name in sorted(set(direct) | set(through)) if direct.get(name) != through.get(name)
                 and not any(part in name for part in self.unsteady)]
        refused = [name for name in other if any(part in name for part in self.stricter)]
        if refused:
            print(f"stricter than direct: {len(refused)}")
        return [f"{name}: direct {direct.get(name)}, through {through.get(name)}" for name in other if name not in refused]


def said(command, folder, environment, log, seconds=1800):
    """What a command says on both its outputs, and whether it succeeded; the log keeps it."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=seconds)
        text, succeeded = done.stdout.decode(errors="replace"), done.returncode == 0
    except subprocess.TimeoutExpired as stopped:
        text, succeeded = (stopped.stdout or b"").decode(errors="replace") + "\n(stopped: it took too long)\n", False
    with log.open("a") as file:
        file.write(f"$ {' '.join(command)}\n{text}")
    return text, succeeded


def tap(text, prefix):
    """The tests of a program that speaks TAP (testanything.org)."""
    found = re.findall(r"^(ok|not ok) (\d+)(?: -)? ?(.*)$", text, re.M)
    return {f"{prefix} {number} {name}": "ok" if word == "ok" else "failed" for word, number, name in found}


def needed(*programs, debian):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        raise Unavailable(f"there is no {missing[0]}; Debian: apt-get install {debian}")


class Pytest:
    """Tests that pytest runs, in an environment of their own. `paths` are folders of the sources to import from."""

    def __init__(self, name, installs, options, paths=(), environment={}):
        self.name, self.installs, self.options, self.paths, self.environment = name, installs, options, paths, environment

    def __call__(self, stage, folder):
        place = stage.cache / f"venv-{self.name}"
        if not (place / "bin/pytest").exists():
            log = stage.cache / f"venv-{self.name}.log"
            execute([sys.executable, "-m", "venv", place], log)
            execute([place / "bin/pip", "install", "-q", "pytest", "pytest-timeout", *self.installs], log)
        command = [place / "bin/python", "-m", "pytest", "-q", "-rpfEX", "--tb=short", "--timeout=120",
                   "-o", f"cache_dir={stage.folder / 'pytest'}", *self.options]
        own = {**self.environment, "PYTHONPATH": ":".join(str(folder / path) for path in self.paths)}

        def run(environment, log):
            text, _ = said(command, folder, {**environment, **own}, log)
            words = {"PASSED": "ok", "FAILED": "failed", "ERROR": "failed", "XPASS": "ok"}
            found = re.findall(r"^(PASSED|FAILED|ERROR|XPASS) (.+?)(?: - .*)?$", text, re.M)
            return {name: words[word] for word, name in reversed(found)}

        return run


class Node:
    """node-postgres': programs of one test or more each, and what mocha runs in the packages beside."""

    name, beside = "node", ["pg-pool", "pg-cursor"]
    installs = ["async@2.6.4", "bluebird@3.7.2", "co@4.6.0", "pg-copy-streams@0.3.0", "expect.js@0.3.1", "lodash@4", "mocha@10"]

    def __call__(self, stage, folder):
        needed("node", "npm", debian="nodejs npm")
        packages = folder / "packages"
        version = json.loads((packages / "pg/package.json").read_text())["version"]
        modules = stage.cache / f"node-postgres-{version}-modules"
        if not modules.exists():
            part = modules.with_suffix(".part")
            part.mkdir(exist_ok=True)
            execute(["npm", "install", "--silent", "--prefix", part, f"pg@{version}", *self.installs], stage.cache / "npm.log")
            part.rename(modules)

        def run(environment, log):
            environment = {**environment, "NODE_PATH": str(modules / "node_modules")}
            said(["node", "script/create-test-tables.js"], packages / "pg", environment, log)
            results = {}
            for file in sorted(packages.glob("pg/test/integration/**/*-tests.js")):
                text, succeeded = said(["node", file], packages / "pg", environment, log)
                results[str(file.relative_to(packages))] = "ok" if succeeded else "failed"
                results.update({f"{file.name}: {name}": "ok" for name in re.findall(r"^  (.+) ✔$", text, re.M)})
            for package in self.beside:
                command = [modules / "node_modules/.bin/mocha", "--reporter", "tap", "--exit"]
                results.update(tap(said(command, packages / package, environment, log)[0], package))
            return results

        return run


class Go:
    """Tests of a Go package, with the toolchain and all that it imports from Debian."""

    toolchain = "1.26"

    def __init__(self, name, package, *imports):
        self.name, self.package, self.imports = name, package, imports

    def __call__(self, stage, _):
        version = self.toolchain
        names = [f"golang-{version}-go", f"golang-{version}-src", *(f"golang-{name}-dev" for name in self.imports)]
        root = Debian(stage.cache, "sid").packages(names, stage.cache / f"go-{self.name}")
        own = {"GOROOT": str(root / f"usr/lib/go-{version}"), "GOPATH": str(root / "usr/share/gocode"), "GO111MODULE": "off",
               "GOTOOLCHAIN": "local", "GOCACHE": str(stage.cache / "go-cache"), "GOFLAGS": ""}
        command = [root / f"usr/lib/go-{version}/bin/go", "test", "-p", "1", "-vet=off", "-json", "./..."]

        def run(environment, log):
            text, _ = said(command, root / "usr/share/gocode/src" / self.package, {**environment, **own}, log)
            words = {"pass": "ok", "fail": "failed", "skip": "skipped"}
            events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
            return {f"{event['Package']}.{event['Test']}": words[event["Action"]] for event in events
                    if "Test" in event and event["Action"] in words}

        return run


class Perl:
    """Tests of a Perl module that is built first, a program each."""

    name, installed = "perl", "libdbi-perl libpq-dev"

    def __call__(self, stage, folder):
        needed("perl", "pg_config", "make", debian=self.installed)
        if not (folder / "blib").exists():
            log = stage.cache / "perl.log"
            execute(["perl", "Makefile.PL"], log, cwd=folder)
            execute(["make"], log, cwd=folder)

        def run(environment, log):
            # Hashes in one order.
            environment = {**environment, "PERL_HASH_SEED": "0"}
            results = {}
            for file in sorted(folder.glob("t/*.t")):
                text, succeeded = said(["perl", "-Mblib", file], folder, environment, log)
                results.update({file.name: "ok" if succeeded else "failed"} | tap(text, file.name))
            return results

        return run


class Pipelines:
    """libpq's own tests of pipelines, each with the messages that PostgreSQL's sources say it exchanges."""

    name, folder = "libpq_pipeline", "src/test/modules/libpq_pipeline"

    def __call__(self, stage, _):
        source, build = stage.postgres.built(self.folder, self.name)
        program = build / self.folder / self.name
        ways = ["", "max_protocol_version=latest"] if stage.postgres.major >= 18 else [""]

        def run(environment, log):
            results = {}
            for options in ways:
                stage.fresh("driver")
                for name in said([program, "tests"], stage.folder, environment, log)[0].split():
                    results.update(one(name, options, environment, log))
            return results

        def one(name, options, environment, log):
            trace, expected = log.with_name(f"{name}.trace"), source / self.folder / f"traces/{name}.trace"
            command = [program, "-r", "700", "-t", trace, name, f"dbname=driver {options}"]
            yield f"{name} {options}", "ok" if said(command, stage.folder, environment, log)[1] else "failed"
            if expected.exists():
                yield f"{name} {options}, its messages", "ok" if trace.read_text() == expected.read_text() else "failed"

        return run
