# SPDX-License-Identifier: Apache-2.0
"""Folders of generated files: written aside and renamed into place, so that a reader sees all of one or nothing."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import sys
import tempfile


def write_json(path, value):
    """Writes `value` with sorted keys, so that equal values give equal bytes."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_json(path):
    """The value in `path`, or None where the file is missing or is not JSON (a stamp that cannot be read is no stamp)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def digest_of_files(*paths):
    """One SHA-256 over the contents of `paths`: changes when any of the programs that make a folder changes."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(pathlib.Path(path).read_bytes()).digest())
    return "sha256:" + digest.hexdigest()


def digest_of_tree(root):
    """SHA-256 over the sorted relative paths and contents below `root`."""
    digest = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode("utf-8"))
    return "sha256:" + digest.hexdigest()


@contextlib.contextmanager
def replacing_folder(target):
    """Yields an empty folder beside `target` that takes its place when the block succeeds and vanishes when it fails."""
    target = pathlib.Path(target).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in target.parent.glob(f".{target.name}.*.partial"):
        shutil.rmtree(leftover, ignore_errors=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    work.chmod(0o755)
    try:
        yield work
        if target.exists():
            old = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
            os.replace(target, old / "old")
            os.replace(work, target)
            shutil.rmtree(old)
        else:
            os.replace(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def stop(message):
    """Ends the program with one sentence for a person."""
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(1)
