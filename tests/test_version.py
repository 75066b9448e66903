"""The version that reports, caches and cards name says which commit made them."""

import shutil
import subprocess
from pathlib import Path

import pytest

import gan_hub
from gan_hub import version


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A repository of one file in a package, with one commit, in place of this one."""
    package = tmp_path / "gan_hub"
    package.mkdir()
    (package / "a.py").write_text("x = 1\n")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    monkeypatch.setattr(version, "PACKAGE", package)
    version.full_version.cache_clear()
    yield tmp_path
    version.full_version.cache_clear()


def test_a_checkout_names_its_commit_and_says_when_its_files_were_changed(checkout):
    commit = git(checkout, "rev-parse", "--short=12", "HEAD")
    assert version.full_version() == f"{gan_hub.__version__}+g{commit}"
    (checkout / "notes.txt").write_text("not of the package")
    version.full_version.cache_clear()
    assert version.full_version() == f"{gan_hub.__version__}+g{commit}"
    (checkout / "gan_hub" / "a.py").write_text("x = 2\n")
    version.full_version.cache_clear()
    first = version.full_version()
    assert first.startswith(f"{gan_hub.__version__}+g{commit}.dirty")
    (checkout / "gan_hub" / "a.py").write_text("x = 3\n")
    version.full_version.cache_clear()
    assert (
        version.full_version().startswith(f"{gan_hub.__version__}+g{commit}.dirty") and version.full_version() != first
    )


def test_two_commits_have_two_versions(checkout):
    first = version.full_version()
    git(checkout, "commit", "--allow-empty", "-m", "two")
    version.full_version.cache_clear()
    assert version.full_version() != first


def test_without_a_repository_the_version_stands_alone(checkout, monkeypatch):
    monkeypatch.setattr(version, "_commit_of_install", lambda: None)
    shutil.rmtree(checkout / ".git")
    assert version.full_version() == gan_hub.__version__


def test_an_install_from_git_knows_the_commit_that_pip_wrote_down(checkout, monkeypatch):
    class Installed:
        text = '{"url": "https://example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": "0123456789abcdef0123"}}'

        def read_text(self, name):
            assert name == "direct_url.json"
            return self.text

    shutil.rmtree(checkout / ".git")
    monkeypatch.setattr(version, "distribution", lambda name: Installed())
    assert version.full_version() == f"{gan_hub.__version__}+g0123456789ab"
    for Installed.text in (None, "{}", "no JSON", '{"url": "file:///somewhere", "dir_info": {"editable": true}}'):
        version.full_version.cache_clear()
        assert version.full_version() == gan_hub.__version__


def test_without_git_the_version_stands_alone(checkout, monkeypatch):
    def absent(*arguments, **keywords):
        raise FileNotFoundError("git")

    monkeypatch.setattr(version, "_commit_of_install", lambda: None)
    monkeypatch.setattr(version.subprocess, "run", absent)
    assert version.full_version() == gan_hub.__version__


def test_reports_and_kept_features_name_the_commit(monkeypatch, tiny_pipeline, tmp_path):
    from gan_hub.data import ImageSet
    from gan_hub.metrics import evaluate, feature_cache, load_extractor
    from gan_hub.metrics import evaluation as measuring

    reals, digits = ImageSet(tiny_pipeline(seeds=range(40), output_type="np").images), load_extractor("digits")
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path))
    kept = []
    for commit in ("0.2.0+gaaaaaaaaaaaa", "0.2.0+gbbbbbbbbbbbb", "0.2.0+gbbbbbbbbbbbb"):
        for module in (measuring, feature_cache):
            monkeypatch.setattr(module, "full_version", lambda commit=commit: commit)
        report = evaluate(tiny_pipeline, reals, ("fd",), digits, 20, keep=True)
        assert report.provenance["gan_hub"] == commit
        kept.append(sum(path.is_file() for path in tmp_path.rglob("*")))
    assert 0 < kept[0] < kept[1] == kept[2]  # features of another commit are measured anew
