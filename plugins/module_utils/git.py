"""Turn a repository and a version into a packed source tree, on the controller."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from ansible_collections.initech.django.plugins.module_utils import archives
from ansible_collections.initech.django.plugins.module_utils.alone import alone
from ansible_collections.initech.django.plugins.module_utils.commands import DAY, run, tail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

LARGE = 1024 * 1024
LFS = b"version https://git-lfs.github.com/spec/"
"""What the file begins with that git has in place of a large one (git-lfs, docs/spec.md)."""
ENCRYPTED = b"\0GITCRYPT\0"
"""What a file begins with that git-crypt has encrypted."""
CONFIGURATION = {
    # Whoever deploys may not be the owner of the checkout; nothing of it is executed here.
    "safe.directory": "*",
    # Our own copy is one.
    "safe.bareRepository": "all",
    # What is packed is what is committed, for the app to read.
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.eol": "lf",
    "tar.umask": "0002",
}
"""What git does here whatever the configuration of whoever deploys says."""
UNFILTERED = {"smudge": "", "process": "", "required": "false"}
"""By what of its options a filter that a configuration has changes nothing."""
FILTER = re.compile(rb"^[^#\n]*\sfilter=(\S+)", re.MULTILINE)
"""How .gitattributes gives files to a filter. Of those of LFS and git-crypt it is told what was not filtered."""
FULL_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Source:
    """A version of a repository, or of one directory in it."""

    directory: Path
    name: str
    version: str
    commit: str
    tree: str
    tree_ish: str


def is_local(repository: str) -> bool:
    """Tell a path from a URL as git does: a URL has :// or, like host:path, a colon before any slash."""
    return "://" not in repository and not re.match(r"[^/]*:", repository)


def check_repository(repository: str) -> None:
    """Refuse a URL with a password or token in it: it would stand in logs and process lists.

    Raises:
        Problem: it has one, or is no URL at all.
    """
    if "://" not in repository:
        return
    try:
        url = urlsplit(repository)
    except ValueError:
        raise Problem("release_repository is no URL that can be read. Correct it.") from None
    if url.password or (url.username and url.scheme in ("http", "https")):
        raise Problem(
            "release_repository holds a login. Take it out, and let git have it from a credential helper, or use SSH."
        )


def git(
    directory: Path,
    *arguments: str,
    keep: int | None = None,
    asks_remote: bool = False,
    more: Mapping[str, str] = MappingProxyType({}),
) -> tuple[bool, str]:
    """Run git in a repository, and return whether it succeeded, and what it printed.

    Args:
        directory: of the repository, or where one is to be.
        arguments: what it is to do.
        keep: a descriptor that it inherits.
        asks_remote: it does, by the ssh that whoever deploys has configured, if any.
        more: configuration that holds for this call.
    """
    configuration = {**CONFIGURATION, **more}
    configured = int(os.environ.get("GIT_CONFIG_COUNT") or 0)  # by whoever runs us, for example with credentials
    environment = {**os.environ, "GIT_CONFIG_COUNT": str(configured + len(configuration))}
    for number, (key, value) in enumerate(configuration.items(), configured):
        environment.update({f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value})
    # Attributes of the machine, which no configuration names.
    environment["GIT_ATTR_NOSYSTEM"] = "1"
    # A question nobody can answer would hang the run.
    environment["GIT_TERMINAL_PROMPT"] = "0"
    # What a checkout configures is not run.
    has_own_ssh = not environment.keys().isdisjoint(("GIT_SSH_COMMAND", "GIT_SSH"))
    if not (has_own_ssh or (asks_remote and git(directory, "config", "core.sshCommand")[0])):
        environment["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
    for key in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):  # set where we run inside a git hook
        environment.pop(key, None)
    result = run(["git", "-C", directory, *arguments], environment=environment, timeout=DAY, keep=keep)
    return result.returncode == 0, (result.stdout if result.returncode == 0 else result.stderr).strip()


def fetch(repository: str, version: str, cache: Path) -> Path:
    """Return a directory that holds the repository with everything it has now.

    Args:
        repository: a URL, or the path of a repository, which is used as it is.
        version: a full commit that the cache has already needs no network.
        cache: where copies of remote repositories are kept.

    Raises:
        Problem: it cannot be reached.
    """
    check_repository(repository)
    if is_local(repository):
        directory = Path(repository).expanduser().resolve()
        if not directory.is_dir():
            raise Problem(f"There is no directory {directory}. Correct release_repository.")
        ok, inside = git(directory, "rev-parse", "--show-prefix")
        if not ok:
            raise Problem(
                f"{directory} is no git repository. Type: cd {directory} && git init && git add . && git commit"
            )
        if inside:
            top = git(directory, "rev-parse", "--show-toplevel")[1]
            raise Problem(
                f"{directory} lies inside the git repository {top}. "
                f"Set release_repository to {top}, and release_subdirectory to {inside.rstrip('/')}."
            )
        return directory
    directory = cache / "repositories" / sha256(repository.encode()).hexdigest()[:16]
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Of two that fetch at once git refuses one.
    with alone(cache / "locks" / directory.name) as lock:
        if not directory.exists():
            _clone(repository, directory, lock)
        elif not (FULL_COMMIT.fullmatch(version) and git(directory, "cat-file", "-e", f"{version}^{{commit}}")[0]):
            for left in directory.rglob("*.lock"):
                left.unlink()  # of a git that was killed: no other one is at work here
            # By its URL: what a clone calls it is up to the configuration of whoever made it.
            what = ("--quiet", "--prune", "--force", "--tags", repository, "+refs/*:refs/*")
            ok, output = git(directory, "fetch", *what, keep=lock, asks_remote=True)
            if not ok:
                raise Problem(f"git cannot fetch from {repository}:\n{tail(output, 6)}")
            if version.startswith(("HEAD", "@")):
                _follow_default_branch(repository, directory)
    return directory


def _clone(repository: str, directory: Path, lock: int) -> None:
    """Clone a repository to where none is. It is there whole or not at all; what a killed run left makes way.

    Args:
        repository: its URL.
        directory: where to.
        lock: the descriptor of who may do so.

    Raises:
        Problem: it cannot be cloned.
    """
    draft = directory.with_name(f"{directory.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    # Without what the configuration of whoever deploys puts into each new repository.
    what = ("--quiet", "--mirror", "--template=", repository, draft.name)
    ok, output = git(directory.parent, "clone", *what, keep=lock, asks_remote=True)
    if not ok:
        raise Problem(f"git cannot clone {repository}:\n{tail(output, 6)}\nCorrect release_repository.")
    draft.replace(directory)


def _follow_default_branch(repository: str, directory: Path) -> None:
    """Let HEAD mean what the remote means by it, which may have changed since it was cloned: a fetch does not."""
    _, output = git(directory, "ls-remote", "--symref", repository, "HEAD", asks_remote=True)
    branch = re.match(r"ref: (refs/heads/\S+)\tHEAD", output)
    if branch:
        git(directory, "symbolic-ref", "HEAD", branch[1])


def resolve(repository: str, version: str, subdirectory: str, cache: Path) -> Source:
    """Find the commit and the tree that a version means now.

    Args:
        repository: a URL, or the path of a repository.
        version: a branch, a tag or a commit.
        subdirectory: the part of the repository that is the project; empty: all of it.
        cache: where copies of remote repositories are kept.

    Raises:
        Problem: the repository, the version or the directory does not exist.
    """
    directory = fetch(repository, version, cache)
    repository = str(directory) if is_local(repository) else repository
    ok, commit = git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{version}^{{commit}}")
    if not ok:
        ok, branches = git(directory, "for-each-ref", "--format=%(refname:short)", "--count=20", "refs/heads")
        listing = f" Its branches: {', '.join(branches.split())}." if ok and branches else " It has no commit yet."
        raise Problem(
            f"{repository} has no version {version!r}.{listing} "
            "Name a branch, a tag or a commit that is pushed: -e release_version=NAME"
        )
    subdirectory = posixpath.normpath(subdirectory.strip("/"))
    subdirectory = "" if subdirectory == "." else subdirectory
    name = f"{repository} at {version}" + (f", directory {subdirectory}" if subdirectory else "")
    ok, tree = git(directory, "rev-parse", "--verify", "--quiet", f"{commit}:{subdirectory}")
    if not ok or not git(directory, "cat-file", "-e", f"{tree}^{{tree}}")[0]:
        raise Problem(f"{repository} has no directory {subdirectory!r} at {version}. Correct release_subdirectory.")
    # Of a commit git packs the commit's date too.
    return Source(directory, name, version, commit, tree, f"{commit}:{subdirectory}" if subdirectory else commit)


def pack(source: Source, cache: Path) -> Path:
    """Return a tar file of the tree, made once for every tree. No filter is run: each has what is committed.

    Raises:
        Problem: git cannot write it.
    """

    def write(path: Path, lock: int) -> None:
        written = ("--format=tar", f"--output={path}")
        # A filter is a program that a checkout, too, may name.
        any_of, output = git(source.directory, "config", "--name-only", "--get-regexp", r"^filter\..*\.")
        keys = output.splitlines() if any_of else []
        unfiltered = {f"{key.rpartition('.')[0]}.{name}": value for key in keys for name, value in UNFILTERED.items()}
        ok, output = git(source.directory, "archive", *written, source.tree_ish, keep=lock, more=unfiltered)
        if not ok:
            raise Problem(f"git cannot pack {source.name}:\n{tail(output, 6)}")

    # What was packed by other rules is not used.
    rules = sha256(repr((CONFIGURATION, UNFILTERED)).encode()).hexdigest()[:8]
    return archives.provide(cache / "archives" / f"{source.tree}.{rules}.tar", write)


def read_files(archive: Path) -> dict[str, bytes]:
    """Return the content of every file of an archive, but for large ones, which are no text: of these, nothing.

    A link is read as the file of the archive that it leads to, or as nothing.
    """
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.issym():
                links[member.name] = posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname))
            elif member.isfile() and member.size > LARGE:
                files[member.name] = b""
            elif member.isfile():
                content = tar.extractfile(member)
                files[member.name] = content.read() if content else b""
    contents = {link: files.get(_end(link, links), b"") for link in links}
    return {**files, **contents}


def left_out(source: Source) -> list[str]:
    """Return what git has only a reference to, so that it is not packed, a line each.

    Args:
        source: the version.

    Raises:
        Problem: git cannot list the tree.
    """
    ok, output = git(source.directory, "ls-tree", "-r", "-z", source.tree)
    if not ok:
        raise Problem(f"git cannot list {source.name}:\n{tail(output, 6)}")
    entries = [entry.split("\t", 1) for entry in output.split("\0")[:-1]]
    return [
        f"{path} is a git submodule, and what is in it is not deployed. What the project needs of it belongs into "
        "requirements_to_freeze.txt or into the project's own repository"
        for kind, path in entries
        if kind.startswith("160000 commit ")
    ]


def unfiltered(files: Mapping[str, bytes]) -> list[str]:
    """Return which filters a checkout may go through, and what is packed does not, a line each.

    Args:
        files: what is packed.
    """
    attributes = [content for path, content in files.items() if path.rpartition("/")[2] == ".gitattributes"]
    names = {name.decode(errors="replace") for text in attributes for name in FILTER.findall(text)}
    return [
        f"No filter of git is run: what .gitattributes gives filter={name} is deployed as it is committed"
        for name in sorted(names - {"lfs", "git-crypt"})
    ]


def unreadable(files: Mapping[str, bytes]) -> list[str]:
    """Return of which files git has something else than what a project reads, a line for each way.

    Args:
        files: what is packed.
    """
    found = []
    for mark, what, remedy in (
        (LFS, "lies in Git LFS", "Commit the file itself, after git lfs untrack with its pattern of .gitattributes"),
        (ENCRYPTED, "is encrypted by git-crypt", "Put what is secret into release_env"),
    ):
        paths = [path for path, content in files.items() if content.startswith(mark)]
        if paths:
            pattern = re.sub(r"\s", "[[:space:]]", paths[0])
            others = f" and {len(paths) - 1} more" if paths[1:] else ""
            found.append(
                f"{paths[0]}{others} {what}, and what is committed is what hosts get. {remedy}; where the site does "
                f"without, leave it out, by a line in .gitattributes at the top of what is deployed: {pattern} "
                "export-ignore"
            )
    return found


def _end(link: str, links: Mapping[str, str]) -> str:
    """Return where a link leads in the end; of links that lead in a circle, any."""
    for _ in links:
        link = links.get(link, link)
    return link
