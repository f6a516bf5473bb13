"""PostgreSQL: the machine's programs, or those built of Debian's sources; and what else is built of these."""

import os
import re
from pathlib import Path

from registries import Debian, unpacked
from stage import Unavailable, execute, output

LIBPQ = "src/interfaces/libpq"


class Postgres:
    """A major version. `programs` is the folder of `postgres`, `psql` and the others."""

    def __init__(self, major, cache):
        self.major, self.cache = int(major), cache.resolve()
        machine = Path(f"/usr/lib/postgresql/{major}/bin")
        self.programs = machine if (machine / "postgres").is_file() else self.installed()
        self.version = output([self.programs / "postgres", "--version"]).strip()

    def installed(self):
        """All of it, built of Debian's sources: 15 minutes on two cores, once."""
        place = self.cache / f"server-{self.major}"
        if not (place / "bin/psql").is_file():
            source = self.newest()
            self.make(source, ["--with-ssl=openssl", "--without-icu", f"--prefix={place}"], ["install"])
        return place / "bin"

    def newest(self):
        folder = self.cache / f"postgresql-{self.major}"
        return folder if folder.exists() else unpacked(Debian(self.cache, "sid").archive(folder.name), folder)

    def sources(self):
        """Those that the server is of."""
        if self.programs.is_relative_to(self.cache):
            return self.newest()
        release = re.search(r"\) (\d+\.\d+)", self.version).group(1)
        folder = self.cache / f"postgresql-{release}"
        if folder.exists():
            return folder
        codename = re.search(r"VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text()).group(1)
        return unpacked(Debian(self.cache, codename, f"{codename}-security").archive(f"postgresql-{self.major}", release), folder)

    def built(self, folder, product):
        """The sources, and where a folder of them is built, with libpq."""
        source = self.sources()
        build = self.build(source)
        if not (build / folder / product).exists():
            # Programs look for libpq where it is said to be installed.
            self.make(source, [f"--libdir={build / LIBPQ}"], *(["-C", part, "all"] for part in ("src/common", "src/port", LIBPQ, folder)))
        return source, build

    def build(self, source):
        return self.cache / source.name.replace("postgresql", "build")

    def make(self, source, options, *targets):
        build = self.build(source)
        build.mkdir(exist_ok=True)
        log = self.cache / f"{build.name}.log"
        print(f"building {' '.join(targets[-1])} of {source.name}; its log: {log}", flush=True)
        if not (build / "config.status").exists():
            execute([source / "configure", "--without-readline", "--without-zlib", *options], log, cwd=build)
        for target in targets:
            execute(["nice", "make", f"-j{os.cpu_count()}", *target], log, cwd=build)
