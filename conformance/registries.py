"""What suites stand on, from Debian, PyPI and npm: sources and packages, once, into the cache."""

import hashlib
import json
import re
import tarfile
import urllib.request

from stage import Unavailable, execute, fetch, output


class Debian:
    """Suites of Debian, with lists of packages of our own: the machine's stay as they are."""

    def __init__(self, cache, *suites):
        self.cache = cache
        self.folder = cache / "debian" / "-".join(suites)
        self.folder.joinpath("lists/partial").mkdir(parents=True, exist_ok=True)
        self.folder.joinpath("status").touch()
        places = [("debian-security" if suite.endswith("-security") else "debian", suite) for suite in suites]
        self.folder.joinpath("sources.list").write_text("".join(
            f"{kind} http://deb.debian.org/{place} {suite} main\n" for place, suite in places for kind in ("deb", "deb-src")))
        self.log = cache / "debian.log"

    def apt(self, program, *words):
        options = {"Dir::Etc::sourcelist": "sources.list", "Dir::State::lists": "lists", "Dir::Cache::srcpkgcache": "sources.bin",
                   "Dir::Cache::pkgcache": "packages.bin", "Dir::State::status": "status"}
        own = [word for name, file in options.items() for word in ("-o", f"{name}={self.folder / file}")]
        return [program, "-q", *own, "-o", "Dir::Etc::sourceparts=/dev/null", "-o", "APT::Sandbox::User=root", *words]

    def update(self):
        execute(self.apt("apt-get", "update"), self.log)

    def archive(self, package, version=""):
        """The sources as their authors gave them out; the newest of a version."""
        self.update()
        known = re.findall(rf"^Version: ((?:\d+:)?{re.escape(version)}\S*)", output(self.apt("apt-cache", "showsrc", package)), re.M)
        if not known:
            raise Unavailable(f"Debian has no sources of {package} {version}")
        said = output(self.apt("apt-get", "source", "--print-uris", "--only-source", f"{package}={known[-1]}"), cwd=self.folder)
        url, name, digest = re.search(r"^'(\S+)' (\S+\.orig\.tar\.\w+) \d+ SHA256:(\w+)$", said, re.M).groups()
        return checked(fetch(url, self.cache / name), digest)

    def packages(self, names, folder):
        """Unpacks packages into a folder, without what they depend on."""
        if folder.exists():
            return folder
        self.update()
        archives = self.folder / "archives"
        archives.mkdir(exist_ok=True)
        part = folder.with_suffix(".part")
        for name in names:
            execute(self.apt("apt-get", "download", name), self.log, cwd=archives)
            execute(["dpkg-deb", "-x", next(archives.glob(f"{name}_*.deb")), part], self.log)
        return part.rename(folder)


def checked(file, digest):
    if hashlib.sha256(file.read_bytes()).hexdigest() != digest:
        file.unlink()
        raise Unavailable(f"{file.name} is not what Debian's list says")
    return file


def unpacked(archive, folder, only=lambda name: True):
    """What an archive holds, without the folder that it is in."""
    if not folder.exists():
        part = folder.with_suffix(".part")
        with tarfile.open(archive) as files:
            files.extractall(part, [file for file in files if only(file.name)])
        next(part.iterdir()).rename(folder)
        part.rmdir()
    return folder


def from_debian(package, suite):
    """A driver's sources from Debian; what stands in the cache under that name is taken as it is."""

    def sources(stage):
        folder = stage.cache / f"own-{package}-{suite}"
        return folder if folder.exists() else unpacked(Debian(stage.cache, suite).archive(package), folder)

    return sources


def from_pypi(package, version, part=""):
    """A driver's sources from PyPI, or a part of them: beside its own sources a driver that was installed is not found."""

    def sources(stage):
        folder = stage.cache / f"own-{package}-{version}"
        if folder.exists():
            return folder
        archive = fetch(sdist(package, version), stage.cache / f"{package}-{version}.tar.gz")
        return unpacked(archive, folder, lambda name: name.startswith(f"{package}-{version}/{part}"))

    return sources


def sdist(package, version):
    """Where PyPI has the sources (PEP 691)."""
    page = f"https://pypi.org/simple/{package}/"
    request = urllib.request.Request(page, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            files = json.load(answer)["files"]
    except OSError as error:
        raise Unavailable(f"{page} cannot be fetched: {error}")
    return next(file["url"] for file in files if file["filename"] == f"{package}-{version}.tar.gz")
