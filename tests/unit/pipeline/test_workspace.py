from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aws_auto.errors import NotYet, TargetError, UsageError
from aws_auto.pipeline.local.clock import SystemClock
from aws_auto.pipeline.plan import Create, Resource
from aws_auto.pipeline.workspace import choose_target, open_workspace

LOCAL = {"AWS_AUTO_TARGET": "local"}


def test_a_new_folder_becomes_a_workspace_that_git_ignores(tmp_path):
    ws = open_workspace(tmp_path / "a" / "b", environ=LOCAL)
    assert ws.root == tmp_path / "a" / "b"
    assert sorted(p.name for p in ws.root.iterdir()) == [".gitignore", "state.db"]
    assert (ws.root / ".gitignore").read_text() == "*\n"
    assert ws.target.name == "local"


def test_the_folder_is_that_of_the_environment_unless_one_is_given(tmp_path):
    environ = {**LOCAL, "AWS_AUTO_HOME": str(tmp_path / "home")}
    assert open_workspace(environ=environ).root == tmp_path / "home"
    assert open_workspace(tmp_path / "given", environ=environ).root == tmp_path / "given"


def test_without_either_it_lies_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_workspace(environ=LOCAL).root == tmp_path / ".aws-auto"


def test_opening_it_again_finds_what_was_left(tmp_path):
    open_workspace(tmp_path / "w", environ=LOCAL).journal.append("hello")
    assert [e.kind for e in open_workspace(tmp_path / "w", environ=LOCAL).journal.entries()] == ["hello"]


def test_an_existing_folder_gets_no_gitignore(tmp_path):
    open_workspace(tmp_path, environ=LOCAL)
    assert not (tmp_path / ".gitignore").exists()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "w").write_bytes(b"")
    for root in (tmp_path / "w", tmp_path / "w" / "deeper"):
        with pytest.raises(TargetError, match="a file is in the way") as caught:
            open_workspace(root, environ=LOCAL)
        assert str(tmp_path / "w") in caught.value.where


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a file system that nobody may write to")
def test_a_place_where_nobody_may_write_is_refused_with_a_next_step():
    with pytest.raises(TargetError) as caught:
        open_workspace(Path("/sys/aws-auto"), environ=LOCAL)
    assert caught.value.where == "/sys/aws-auto"
    assert "AWS_AUTO_HOME" in caught.value.hint


def test_a_damaged_state_is_refused_with_its_place(tmp_path):
    (tmp_path / "state.db").write_bytes(b"this was a database once upon a time" * 100)
    with pytest.raises(TargetError, match=r"state\.db: the workspace's state is damaged"):
        open_workspace(tmp_path, environ=LOCAL)


def test_the_flag_decides_before_the_environment():
    assert choose_target("aws", LOCAL) == ("aws", "--target says so")
    assert choose_target("auto", LOCAL) == ("local", "AWS_AUTO_TARGET says so")


def test_auto_means_aws_when_credentials_resolve_and_says_which():
    environ = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
    name, why = choose_target("auto", environ)
    assert name == "aws"
    assert "AWS_ACCESS_KEY_ID" in why
    assert choose_target("auto", {**environ, **LOCAL})[0] == "local"


def test_auto_means_local_when_there_are_none(tmp_path):
    environ = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert choose_target("auto", environ) == ("local", "no AWS credentials were found")


@pytest.mark.parametrize(("target", "environ"), [("azure", LOCAL), ("auto", {"AWS_AUTO_TARGET": "azure"})])
def test_a_target_that_does_not_exist_is_refused_with_those_that_do(target, environ):
    with pytest.raises(UsageError, match="'azure' is not a target") as caught:
        choose_target(target, environ)
    assert caught.value.hint == "use one of auto, local, aws"


def test_the_aws_target_says_that_it_is_not_built_only_when_it_is_used(tmp_path):
    ws = open_workspace(tmp_path, target="aws", environ={})
    assert ws.target.name == "aws"
    with pytest.raises(NotYet):
        ws.target.apply(Create(Resource(kind="endpoint", name="a")))


def test_opening_imports_neither_polars_nor_boto3_nor_pydantic(tmp_path):
    script = (
        "import sys; from pathlib import Path; from aws_auto.pipeline.workspace import open_workspace;"
        "ws = open_workspace(Path(sys.argv[1]), target='local', environ={}); ws.scheduler.all(); ws.lake.datasets();"
        "print(sorted({'polars', 'numpy', 'boto3', 'botocore', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "w")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_clock_of_the_machine_is_aware_and_moves(tmp_path):
    clock = open_workspace(tmp_path, environ=LOCAL).clock
    assert isinstance(clock, SystemClock)
    before = clock.now()
    clock.sleep(0.001)
    assert clock.now() > before
    assert before.utcoffset().total_seconds() == 0
