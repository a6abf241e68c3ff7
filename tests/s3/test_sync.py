"""Trees of files through the `aws` command."""
import filecmp
import os
import subprocess

import pytest


def aws(*arguments):
    command = ["aws", "--endpoint-url", os.environ["S3_ENDPOINT"], *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    for path, size in [("a", 0), ("b.txt", 5), ("d/e/f", 70_000), ("d/g h+i", 3), ("d-x/y", 1), ("big", 3 << 20)]:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(size))
    return root


def same(one, other):
    compared = filecmp.dircmp(one, other)
    assert not compared.left_only and not compared.right_only, compared.report()
    assert not filecmp.cmpfiles(one, other, compared.common_files, shallow=False)[1:][0]
    for name in compared.common_dirs:
        same(os.path.join(one, name), os.path.join(other, name))


def test_a_tree_goes_in_and_comes_out(bucket, tree, tmp_path):
    aws("s3", "cp", "--recursive", "--quiet", str(tree), f"s3://{bucket}/tree")
    aws("s3", "sync", "--quiet", f"s3://{bucket}/tree", str(tmp_path / "out"))
    same(tree, tmp_path / "out")
    assert aws("s3", "sync", str(tree), f"s3://{bucket}/tree") == ""
    assert aws("s3", "sync", f"s3://{bucket}/tree", str(tmp_path / "out")) == ""
    (tree / "b.txt").unlink()
    assert "delete: s3://" in aws("s3", "sync", "--delete", str(tree), f"s3://{bucket}/tree")
    listed = aws("s3", "ls", "--recursive", f"s3://{bucket}/tree/")
    assert "b.txt" not in listed and "d/e/f" in listed
    aws("s3", "rm", "--recursive", "--quiet", f"s3://{bucket}/tree")
    assert aws("s3", "ls", f"s3://{bucket}/") == ""
