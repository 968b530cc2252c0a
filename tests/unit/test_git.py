"""Versions of real repositories, local and remote, are resolved and packed."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import pytest
from ansible_collections.initech.django.plugins.module_utils.git import (
    CONFIGURATION,
    LARGE,
    Source,
    check_repository,
    is_local,
    pack,
    read_files,
    resolve,
)
from ansible_collections.initech.django.plugins.module_utils.git import git as run_git
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

Git = Callable[..., str]
Commit = Callable[[Path, Mapping[str, str]], str]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return a cache that does not exist yet."""
    return tmp_path / "cache"


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """Return where a repository may be made."""
    return tmp_path / "shop"


@pytest.fixture
def remote(local: Path) -> str:
    """Return the URL of the same."""
    return f"file://{local}"


def refusal(repository: str | Path, version: str, cache: Path, subdirectory: str = "") -> str:
    """Return why something is not resolved."""
    with pytest.raises(Problem) as problem:
        resolve(str(repository), version, subdirectory, cache)
    return str(problem.value)


@pytest.mark.parametrize("repository", ["/srv/shop", "shop", "./shop:1", "../a/b:c", "~/shop", "."])
def test_a_path_is_told_from_a_url(repository: str) -> None:
    assert is_local(repository)


@pytest.mark.parametrize(
    "repository", ["https://h/shop.git", "ssh://git@h/shop", "git@h:shop.git", "h:shop", "file:///srv/shop"]
)
def test_a_url_is_told_from_a_path(repository: str) -> None:
    assert not is_local(repository)


@pytest.mark.parametrize(
    "repository", ["git@h:shop.git", "ssh://git@h/shop.git", "https://h/shop.git", "https://@h/x", "/srv/a@b:c"]
)
def test_a_url_without_a_login_is_accepted(repository: str) -> None:
    check_repository(repository)


@pytest.mark.parametrize(
    "repository", ["https://S3cr3t@h/shop.git", "https://me:S3cr3t@h/x", "http://S3cr3t@h", "ssh://git:S3cr3t@h/shop"]
)
def test_a_url_with_a_login_is_refused_without_showing_it(repository: str, cache: Path) -> None:
    message = refusal(repository, "main", cache)
    assert message.startswith("release_repository holds a login. Take it out")
    assert "S3cr3t" not in message
    assert not cache.exists()


def test_a_url_that_is_none_is_refused(cache: Path) -> None:
    assert refusal("https://[h/shop.git", "main", cache) == "release_repository is no URL that can be read. Correct it."


@pytest.mark.parametrize("where", ["local", "remote"])
def test_a_branch_a_tag_and_a_commit_mean_what_they_mean_in_git(
    where: str, request: pytest.FixtureRequest, local: Path, cache: Path, git: Git, commit: Commit
) -> None:
    first = commit(local, {"a": "1"})
    git(local, "tag", "light")
    git(local, "tag", "--annotate", "--message=x", "v1.4")
    git(local, "switch", "--quiet", "--create", "feature/x")
    second = commit(local, {"a": "2"})
    repository = str(request.getfixturevalue(where))
    expected = {"main": first, "light": first, "v1.4": first, "feature/x": second, "HEAD": second, "HEAD~1": first}
    for version, meaning in {**expected, first: first, second[:8]: second}.items():
        source = resolve(repository, version, "", cache)
        assert (source.commit, source.version) == (meaning, version)
        assert source.tree == git(local, "rev-parse", f"{meaning}^{{tree}}")
        assert source.name == f"{repository} at {version}"


def test_what_was_not_committed_is_not_packed(local: Path, cache: Path, commit: Commit) -> None:
    commit(local, {"a": "committed"})
    (local / "a").write_text("changed")
    (local / "b").touch()
    assert read_files(pack(resolve(str(local), "main", "", cache), cache)) == {"a": b"committed"}


def test_a_remote_is_asked_again_for_what_a_branch_and_a_tag_mean_now(
    local: Path, remote: str, cache: Path, git: Git, commit: Commit
) -> None:
    commit(local, {"a": "1"})
    git(local, "tag", "stable")
    git(local, "branch", "gone")
    resolve(remote, "stable", "", cache)
    # All but a new commit is a force-push.
    git(local, "commit", "--quiet", "--amend", "--message=Another")
    git(local, "tag", "--force", "stable")
    git(local, "branch", "--delete", "--force", "gone")
    now = git(local, "rev-parse", "HEAD")
    assert resolve(remote, "main", "", cache).commit == now
    assert resolve(remote, "stable", "", cache).commit == now
    assert refusal(remote, "gone", cache).startswith(f"{remote} has no version 'gone'. Its branches: main. ")


def test_a_fetch_that_was_killed_stands_in_nobodys_way(
    local: Path, remote: str, cache: Path, git: Git, commit: Commit
) -> None:
    commit(local, {"a": "1"})
    mirror = resolve(remote, "main", "", cache).directory
    # What git leaves in that case.
    for name in ("packed-refs.lock", "refs/heads/main.lock"):
        (mirror / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror / name).touch()
    newest = commit(local, {"a": "2"})
    assert resolve(remote, "main", "", cache).commit == newest


def test_head_is_the_default_branch_that_the_remote_has_now(
    local: Path, remote: str, cache: Path, git: Git, commit: Commit
) -> None:
    commit(local, {"a": "1"})
    resolve(remote, "HEAD", "", cache)
    git(local, "switch", "--quiet", "--create", "trunk")
    second = commit(local, {"a": "2"})
    assert resolve(remote, "HEAD", "", cache).commit == second
    git(local, "branch", "--delete", "--force", "main")
    assert resolve(remote, "HEAD", "", cache).commit == second


def test_a_full_commit_that_was_fetched_once_needs_no_network(
    local: Path, remote: str, cache: Path, commit: Commit
) -> None:
    first = commit(local, {"a": "1"})
    resolve(remote, "main", "", cache)
    shutil.rmtree(local)
    assert resolve(remote, first, "", cache).commit == first
    assert refusal(remote, "main", cache).startswith(f"git cannot fetch from {remote}:\n")
    assert refusal(remote, "0" * 40, cache).startswith(f"git cannot fetch from {remote}:\n")


@pytest.mark.parametrize(
    "configuration",
    ["[safe]\nbareRepository = explicit", "[clone]\ndefaultRemoteName = upstream"],
)
def test_a_remote_is_asked_whatever_the_configuration_of_whoever_deploys_says(
    local: Path, remote: str, cache: Path, git: Git, commit: Commit, monkeypatch: pytest.MonkeyPatch, configuration: str
) -> None:
    commit(local, {"a": "1"})
    (local.parent / "gitconfig").write_text(configuration)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(local.parent / "gitconfig"))
    resolve(remote, "HEAD", "", cache)
    git(local, "switch", "--quiet", "--create", "trunk")
    newest = commit(local, {"a": "2"})
    git(local, "tag", "v2")
    for version in ("HEAD", "trunk", "v2"):
        assert resolve(remote, version, "", cache).commit == newest


@pytest.mark.parametrize(
    ("configuration", "committed"),
    [
        ("[tar]\numask = user", ""),
        ("[core]\nautocrlf = true", ""),
        ("[core]\neol = crlf", "* text=auto\n"),
        ("[core]\nattributesFile = {}/git/attributes", ""),
    ],
)
def test_what_is_packed_is_the_same_whatever_the_configuration_of_whoever_packs_says(
    local: Path, cache: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch, configuration: str, committed: str
) -> None:
    commit(local, {"manage.sh": "#!/bin/sh\n", ".gitattributes": f"{committed}.gitattributes export-ignore\n"})
    (local.parent / "gitconfig").write_text(configuration.format(local.parent))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(local.parent / "gitconfig"))
    attributes = local.parent / "git" / "attributes"
    attributes.parent.mkdir()
    attributes.write_text("manage.sh export-ignore\n")
    before = os.umask(0o077)
    try:
        archive = pack(resolve(str(local), "main", "", cache), cache)
    finally:
        os.umask(before)
    assert read_files(archive) == {"manage.sh": b"#!/bin/sh\n"}
    with tarfile.open(archive) as tar:
        assert [member.mode for member in tar] == [0o664]


def test_attributes_that_somebody_or_a_machine_has_for_all_repositories_change_nothing_either(
    local: Path, cache: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(local, {"a": "1"})
    (local.parent / "git").mkdir()
    (local.parent / "git" / "attributes").write_text("a export-ignore\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(local.parent))
    assert read_files(pack(resolve(str(local), "main", "", cache), cache)) == {"a": b"1"}
    assert run_git(local, "-c", "alias.told=!printenv GIT_ATTR_NOSYSTEM", "told") == (True, "1")


def test_what_somebody_has_put_into_each_new_repository_of_his_changes_nothing_either(
    local: Path, remote: str, cache: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(local, {"a": "1"})
    (local.parent / "template" / "info").mkdir(parents=True)
    (local.parent / "template" / "info" / "attributes").write_text("a export-ignore\n")
    (local.parent / "gitconfig").write_text(f"[init]\ntemplateDir = {local.parent}/template\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(local.parent / "gitconfig"))
    assert read_files(pack(resolve(remote, "main", "", cache), cache)) == {"a": b"1"}


@pytest.mark.parametrize("whose", ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "checkout", "environment"])
@pytest.mark.parametrize(
    ("name", "option", "program"),
    [("lfs", "smudge", "echo run"), ("Own.a=b", "smudge", "echo run"), ("lfs", "process", "no-such-program")],
)
def test_no_filter_that_somebody_or_a_checkout_configures_is_run(
    local: Path,
    cache: Path,
    commit: Commit,
    monkeypatch: pytest.MonkeyPatch,
    whose: str,
    name: str,
    option: str,
    program: str,
) -> None:
    commit(local, {"a": "1", ".gitattributes": f"a filter={name}\n.gitattributes export-ignore\n"})
    options = {option: program, "required": "true"}
    if whose == "environment":
        monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(options)))
        for number, (key, value) in enumerate(options.items()):
            monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", f"filter.{name}.{key}")
            monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    else:
        file = local / ".git" / "config" if whose == "checkout" else local.parent / "gitconfig"
        with file.open("a") as configuration:
            configuration.write(f'[filter "{name}"]\n' + "".join(f"{key} = {options[key]}\n" for key in options))
        if whose != "checkout":
            monkeypatch.setenv(whose, str(file))
            monkeypatch.delenv("GIT_CONFIG_NOSYSTEM", raising=False)
    assert read_files(pack(resolve(str(local), "main", "", cache), cache)) == {"a": b"1"}


def test_what_was_packed_by_other_rules_is_not_used(local: Path, cache: Path, commit: Commit) -> None:
    commit(local, {"a": "1"})
    source = resolve(str(local), "main", "", cache)
    old = cache / "archives" / f"{source.tree}.tar"
    old.parent.mkdir(parents=True)
    old.touch()
    first = pack(source, cache)
    assert read_files(first) == {"a": b"1"}
    with patch.dict(CONFIGURATION, {"core.eol": "crlf"}):
        assert pack(source, cache) not in (first, old)


def test_runs_that_ask_a_remote_at_once_do_not_stand_in_each_others_way(
    local: Path, remote: str, cache: Path, git: Git, commit: Commit
) -> None:
    def ask(_: object) -> str:
        return resolve(remote, "main", "", cache).commit

    with ThreadPoolExecutor(4) as pool:
        # First all of them clone it, and then all of them fetch.
        for number in range(2):
            newest = commit(local, {"a": str(number)})
            for branch in range(50):
                git(local, "branch", "--force", f"branch-{branch}", newest)
            assert set(pool.map(ask, range(4))) == {newest}


def test_a_remote_that_cannot_be_cloned_is_told_and_leaves_nothing(remote: str, cache: Path, git: Git) -> None:
    message = refusal(remote, "main", cache)
    assert message.startswith(f"git cannot clone {remote}:\n")
    assert message.endswith("Correct release_repository.")
    assert not list((cache / "repositories").iterdir())


@pytest.mark.parametrize("where", ["local", "remote"])
@pytest.mark.parametrize("version", ["v9", "", "-n1", "--all", "main:dir", "main^{tree}", "main..main", "m*", "main\n"])
def test_a_version_that_does_not_exist_is_refused_with_the_branches(
    where: str, version: str, request: pytest.FixtureRequest, local: Path, cache: Path, git: Git, commit: Commit
) -> None:
    commit(local, {"dir/a": "1"})
    git(local, "branch", "feature/x")
    repository = request.getfixturevalue(where)
    assert refusal(repository, version, cache) == (
        f"{repository} has no version {version!r}. Its branches: feature/x, main. "
        "Name a branch, a tag or a commit that is pushed: -e release_version=NAME"
    )


def test_a_repository_without_a_commit_is_told_so(local: Path, cache: Path, git: Git) -> None:
    local.mkdir()
    git(local, "init", "--quiet")
    assert " has no version 'HEAD'. It has no commit yet. " in refusal(local, "HEAD", cache)


def test_a_directory_that_is_not_there_or_no_repository_is_told_what_to_type(
    local: Path, cache: Path, git: Git
) -> None:
    assert refusal(local, "main", cache) == f"There is no directory {local}. Correct release_repository."
    local.mkdir()
    assert refusal(local, "main", cache).startswith(f"{local} is no git repository. Type: cd {local} && git init ")


def test_a_directory_inside_a_repository_is_refused_with_how_to_write_it(
    local: Path, cache: Path, commit: Commit
) -> None:
    commit(local, {"apps/shop/manage.py": ""})
    assert refusal(local / "apps" / "shop", "main", cache) == (
        f"{local}/apps/shop lies inside the git repository {local}. "
        f"Set release_repository to {local}, and release_subdirectory to apps/shop."
    )


def test_a_bare_repository_will_do(local: Path, tmp_path: Path, cache: Path, git: Git, commit: Commit) -> None:
    first = commit(local, {"dir/a": "1"})
    git(tmp_path, "clone", "--quiet", "--bare", str(local), "bare.git")
    assert resolve(str(tmp_path / "bare.git"), "main", "dir", cache).commit == first


def test_a_home_directory_may_be_written_as_a_tilde(
    local: Path, cache: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = commit(local, {"a": "1"})
    monkeypatch.setenv("HOME", str(local.parent))
    assert resolve("~/shop", "main", "", cache).commit == first


def test_what_a_git_hook_sets_leads_to_no_other_repository(
    local: Path, tmp_path: Path, cache: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = commit(local, {"a": "1"})
    commit(tmp_path / "other", {"b": "1"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert resolve(str(local), "main", "", cache).commit == first


def test_what_the_environment_configures_for_git_still_holds(
    local: Path, remote: str, cache: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = commit(local, {"a": "1"})
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{remote}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://git.example.com/shop")
    assert resolve("https://git.example.com/shop", "main", "", cache).commit == first


@pytest.mark.parametrize("said", ["GIT_SSH_COMMAND", "GIT_SSH", "core.sshCommand", "nowhere"])
def test_a_remote_is_reached_by_the_ssh_of_whoever_deploys_or_else_by_one_that_asks_nobody(
    said: str, local: Path, tmp_path: Path, cache: Path, git: Git, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_SSH_COMMAND", "GIT_SSH"):
        monkeypatch.delenv(name, raising=False)
    own, usual = tmp_path / "own" / "ssh", tmp_path / "bin" / "ssh"
    for program in (own, usual):
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho "$0" "$@" >> {tmp_path}/asked\nexec git upload-pack {local}\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{usual.parent}:{os.environ['PATH']}")
    if said == "core.sshCommand":
        (tmp_path / "gitconfig").write_text(f"[core]\nsshCommand = {own} -i key\n")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    elif said != "nowhere":
        monkeypatch.setenv(said, str(own))
    for number in range(2):
        newest = commit(local, {"a": str(number)})
        assert resolve("git@git.example.com:shop.git", "HEAD", "", cache).commit == newest
    expected = {
        "GIT_SSH_COMMAND": f"{own} ",
        "GIT_SSH": f"{own} ",
        "core.sshCommand": f"{own} -i key ",
        "nowhere": f"{usual} -o BatchMode=yes ",
    }
    asked = (tmp_path / "asked").read_text().splitlines()
    # It is cloned, fetched from, and asked for its default branch.
    assert len(asked) == 3
    assert all(line.startswith(expected[said]) for line in asked)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to somebody else")
def test_the_checkout_may_belong_to_somebody_else(local: Path, cache: Path, commit: Commit) -> None:
    first = commit(local, {"a": "1"})
    for path in (local, local / ".git"):
        os.chown(path, 65534, 65534)
    assert resolve(str(local), "main", "", cache).commit == first


@pytest.mark.parametrize("where", ["local", "remote"])
@pytest.mark.parametrize("subdirectory", ["apps/shop", "apps/shop/", "/apps/shop/", "./apps/shop", "apps//shop"])
def test_a_subdirectory_is_packed_as_if_it_were_the_whole(
    where: str, subdirectory: str, request: pytest.FixtureRequest, local: Path, cache: Path, git: Git, commit: Commit
) -> None:
    commit(local, {"apps/shop/manage.py": "m", "apps/shop/shop/wsgi.py": "w", "other/secret": "s"})
    repository = str(request.getfixturevalue(where))
    source = resolve(repository, "main", subdirectory, cache)
    assert source.tree == git(local, "rev-parse", "HEAD:apps/shop")
    assert source.name == f"{repository} at main, directory apps/shop"
    assert read_files(pack(source, cache)) == {"manage.py": b"m", "shop/wsgi.py": b"w"}


@pytest.mark.parametrize("where", ["local", "remote"])
@pytest.mark.parametrize("subdirectory", ["", ".", "/", "./"])
def test_a_subdirectory_that_is_none_is_all_of_it(
    where: str, subdirectory: str, request: pytest.FixtureRequest, local: Path, cache: Path, commit: Commit
) -> None:
    commit(local, {"apps/shop/manage.py": "m"})
    repository = str(request.getfixturevalue(where))
    assert resolve(repository, "main", subdirectory, cache) == resolve(repository, "main", "", cache)


@pytest.mark.parametrize("where", ["local", "remote"])
@pytest.mark.parametrize("subdirectory", ["nowhere", "file", "dir/../..", "../shop"])
def test_a_subdirectory_that_is_no_directory_is_refused(
    where: str, subdirectory: str, request: pytest.FixtureRequest, local: Path, cache: Path, commit: Commit
) -> None:
    commit(local, {"file": "x", "dir/a": "x"})
    message = refusal(request.getfixturevalue(where), "main", cache, subdirectory)
    assert " has no directory '" in message
    assert message.endswith(" at main. Correct release_subdirectory.")


def test_the_same_tree_is_packed_once_whatever_commit_it_stands_in(
    local: Path, cache: Path, git: Git, commit: Commit
) -> None:
    first = commit(local, {"a": "1"})
    second = commit(local, {})
    sources = [resolve(str(local), version, "", cache) for version in (first, second)]
    assert first != second
    archives = [(pack(source, cache), pack(source, cache).stat().st_ino) for source in sources]
    assert archives[0] == archives[1]
    assert list((cache / "archives").iterdir()) == [archives[0][0]]
    assert archives[0][0].name.startswith(f"{sources[0].tree}.")


def test_what_git_is_told_not_to_export_is_not_packed(local: Path, cache: Path, commit: Commit) -> None:
    commit(local, {".gitattributes": "tests export-ignore\n", "tests/a": "", "b": ""})
    assert read_files(pack(resolve(str(local), "main", "", cache), cache)).keys() == {".gitattributes", "b"}


def thirteen(local: Path, cache: Path, commit: Commit, since: float) -> list[Path]:
    """Return the archives of thirteen versions, the first used since then, each other one a second after the other."""
    archives = []
    for number in range(13):
        commit(local, {"a": str(number)})
        archives.append(pack(resolve(str(local), "main", "", cache), cache))
        os.utime(archives[-1], (since + number,) * 2)
    return archives


def test_only_the_newest_archives_are_kept(local: Path, cache: Path, commit: Commit) -> None:
    archives = thirteen(local, cache, commit, 0)
    assert {path for path in archives if path.exists()} == set(archives[-11:])


def test_what_a_run_may_still_have_to_send_is_kept_however_many_came_after_it(
    local: Path, cache: Path, commit: Commit
) -> None:
    assert all(path.exists() for path in thirteen(local, cache, commit, time.time() - 1800))


def test_runs_that_pack_at_once_do_not_stumble_over_what_the_others_remove(
    local: Path, cache: Path, commit: Commit
) -> None:
    sources = []
    for number in range(6):
        commit(local, {"a": str(number)})
        sources.append(resolve(str(local), "main", "", cache))
    (cache / "archives").mkdir(parents=True)
    for number in range(500):
        path = cache / "archives" / f"{number}.tar"
        path.touch()
        os.utime(path, (number, number))
    with ThreadPoolExecutor(len(sources)) as pool:
        archives = list(pool.map(lambda source: pack(source, cache), sources))
    assert [read_files(archive)["a"] for archive in archives] == [b"0", b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.parametrize("step", ["clone", "archive"])
def test_what_a_killed_run_has_half_made_is_neither_used_nor_kept(
    step: str, remote: str, local: Path, cache: Path, commit: Commit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(local, {"a": "1"})
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f"""#!/bin/sh
{shutil.which("git")} "$@"
case " $* " in *" {step} "*) kill -9 $PPID; esac
""")
    program.chmod(0o755)

    def run() -> None:
        pack(resolve(remote, "main", "", cache), cache)

    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        killed = multiprocessing.get_context("fork").Process(target=run)
        killed.start()
        killed.join()
    assert killed.exitcode == -9
    source = resolve(remote, "main", "", cache)
    archive = pack(source, cache)
    assert read_files(archive) == {"a": b"1"}
    assert list(archive.parent.iterdir()) == [archive]
    assert list((cache / "repositories").iterdir()) == [source.directory]


def test_a_tree_that_cannot_be_packed_leaves_no_archive(local: Path, cache: Path, commit: Commit) -> None:
    first = commit(local, {"a": "1"})
    with pytest.raises(Problem, match=r"^git cannot pack the shop:\nfatal: "):
        pack(Source(local, "the shop", "main", first, "0" * 40, "0" * 40), cache)
    assert not list((cache / "archives").iterdir())


def test_modes_and_links_are_packed_as_they_are(local: Path, cache: Path, commit: Commit) -> None:
    local.mkdir()
    (local / "run").touch(mode=0o755)
    (local / "link").symlink_to("run")
    commit(local, {})
    with tarfile.open(pack(resolve(str(local), "main", "", cache), cache)) as tar:
        assert tar.getmember("run").mode & 0o111
        assert tar.getmember("link").linkname == "run"


def test_files_are_read_whole_but_large_ones_not_at_all(local: Path, cache: Path, commit: Commit) -> None:
    commit(local, {"limit": "x" * LARGE, "larger": "x" * (LARGE + 1), "dir/ü": "ü", "empty": ""})
    assert read_files(pack(resolve(str(local), "main", "", cache), cache)) == {
        "limit": b"x" * LARGE,
        "larger": b"",
        "dir/ü": "ü".encode(),
        "empty": b"",
    }


def test_a_link_is_read_as_what_it_leads_to_inside_the_tree(local: Path, cache: Path, commit: Commit) -> None:
    (local / "dir").mkdir(parents=True)
    links = {
        "requirements.txt": "requirements/prod.txt",
        "dir/up": "../requirements.txt",
        "loop": "loop",
        "away": "/etc/hostname",
        "outside": "../x",
        "nowhere": "gone",
        "directory": "requirements",
    }
    for name, target in links.items():
        (local / name).symlink_to(target)
    commit(local, {"requirements/prod.txt": "gunicorn"})
    files = read_files(pack(resolve(str(local), "main", "", cache), cache))
    assert files.pop("requirements/prod.txt") == files.pop("requirements.txt") == files.pop("dir/up") == b"gunicorn"
    assert files == dict.fromkeys(["loop", "away", "outside", "nowhere", "directory"], b"")
