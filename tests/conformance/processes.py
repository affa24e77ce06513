"""Starts what the scripts of tests/conformance talk to, each in a process group of its own, and
ends it as Ctrl-C does."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60
STOP_SECONDS = 15


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def running(name, command, place, ready, **options):
    """A process whose output is kept in `place`; it must become ready, run until the end of the
    block, and stop cleanly."""
    log = pathlib.Path(place, f"{name}.log")
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{name} was not ready within {START_SECONDS} s:\n{log.read_text()}")
            time.sleep(0.1)
        yield log
    except BaseException:
        end(process)
        print(
            f"the last lines of {name}:",
            *log.read_text().splitlines()[-40:],
            sep="\n",
            file=sys.stderr,
        )
        raise
    if process.poll() is not None or end(process) != 0:
        sys.exit(
            f"{name} ended with {process.returncode}, not cleanly by Ctrl-C:\n{log.read_text()}"
        )


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


@contextlib.contextmanager
def local_stack(place, ephemeral=True):
    """The local stack on a free port; yields its seed.json. It keeps its data where a reader's
    would, in .latchkey under `place`. The script's arguments, if there are any, are the command
    that starts it, in place of `cargo run --`."""
    seed = pathlib.Path(place, ".latchkey", "seed.json")
    before = seed.stat().st_mtime_ns if seed.exists() else None
    command = sys.argv[1:] or [
        "cargo",
        "run",
        "--quiet",
        "--locked",
        "--manifest-path",
        str(ROOT / "Cargo.toml"),
        "--",
    ]
    command = [
        *command,
        *(["--ephemeral"] if ephemeral else []),
        "--port",
        "0",
        "--data-dir",
        str(seed.parent),
    ]
    written = lambda: seed.exists() and seed.stat().st_mtime_ns != before
    with running("local-stack", command, place, written, cwd=place):
        yield json.loads(seed.read_text())
