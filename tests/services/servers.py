"""PostgreSQL and Redis on free ports of this machine, for tests to kill, stop and start again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def program(name: str) -> str | None:
    """Return where a server's program is: on the path, or where Debian keeps PostgreSQL's."""
    places = [str(place) for place in sorted(Path("/usr/lib/postgresql").glob("*/bin"))[::-1]]
    places += ["/usr/local/pgsql/bin", "/opt/homebrew/bin"]
    return shutil.which(name, path=os.pathsep.join(places)) or shutil.which(name)


class _Server:
    """A process that answers on a port of its own."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    user: dict[str, Any] = {}  # noqa: RUF012

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.user
        )
        _wait(self.is_ready)

    def kill(self) -> None:
        """Kill it as a crash of the machine would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def hang(self) -> None:
        """Let it answer nobody, with its connections open."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.go_on()
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


class RedisProcess(_Server):
    """A Redis that keeps nothing on disk: a restart has forgotten everything."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        options = f"--bind 127.0.0.1 --port {self.port} --appendonly no --save".split()
        return [str(program("redis-server")), *options, "", "--dir", str(self.folder)]

    def is_ready(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"


class PostgresProcess(_Server):
    """A PostgreSQL with an empty database, which asks for a password."""

    password = "s3cret/pass word"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder / "pg"
        self.folder.mkdir()
        self.dsn = f"postgresql://tester:s3cret%2Fpass%20word@127.0.0.1:{self.port}/postgres"
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, "postgres")
            for parent in (*self.folder.parents,):
                if parent.is_relative_to("/tmp") and parent != Path("/tmp"):
                    parent.chmod(0o755)
            self.user = {"user": "postgres", "group": "postgres", "cwd": "/"}
        secret = self.folder.parent / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)
        subprocess.run(
            [
                *(str(program("initdb")), "-D", str(self.folder / "data"), "-U", "tester"),
                *("-A", "scram-sha-256", "--pwfile", str(secret), "--no-sync", "-E", "UTF8"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            **self.user,
        )

    def command(self) -> list[str]:
        options = f"-p {self.port} -k {self.folder} -h 127.0.0.1 -F".split()
        return [str(program("postgres")), "-D", str(self.folder / "data"), *options]

    def is_ready(self) -> bool:
        asked = [str(program("pg_isready")), "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, stdout=subprocess.DEVNULL, check=False).returncode == 0

    def kill(self) -> None:
        super().kill()
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)


def _wait(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            if is_true():
                return
        except OSError:
            pass
        assert time.monotonic() < end, "the server does not start"
        time.sleep(0.02)
