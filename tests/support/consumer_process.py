"""Consumers as processes whose log goes where somebody may stop reading it."""

import os
import select
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.local.redis_server import free_port

__all__ = ["LogReader", "Worker"]

_PROBE_S: Final = 10.0


class LogReader:
    """Reads a pipe to a file, until it is told to pause, or to go for good."""

    def __init__(self, end: int, path: Path) -> None:
        self._end = end
        self._path = path
        self._reads = threading.Event()
        self._reads.set()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Let the pipe fill up."""
        self._reads.clear()

    def resume(self) -> None:
        """Read on."""
        self._reads.set()

    def die(self) -> None:
        """Close the pipe: whoever writes to it is told so."""
        self._is_over = True
        self._reads.set()
        self._thread.join()

    def _run(self) -> None:
        with self._path.open("ab") as file:
            while not self._is_over:
                self._reads.wait()
                if not select.select([self._end], [], [], 0.1)[0]:
                    continue
                if not (some := os.read(self._end, 1 << 16)):
                    break
                file.write(some)
                file.flush()
        os.close(self._end)


class Worker:
    """`consumers run NAME`, started, hurt and started again."""

    def __init__(self, name: str, directory: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.port = free_port()
        self._log_file = directory / f"{name.rpartition('.')[2]}-{self.port}.log"
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GATEWAY_")},
            "GATEWAY_CONSUMERS_PORT": str(self.port),
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.log: LogReader | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it is not there, though nobody has stopped it."""
        return self._process is not None and self._process.poll() is not None

    @property
    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of a process that has ended by itself."""
        return self._process.poll() if self._process is not None else None

    @property
    def said(self) -> str:
        """What it has logged, as far as somebody read it."""
        return self._log_file.read_text() if self._log_file.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *, log: int | None = None) -> None:
        """Start; the log goes to this descriptor, or through a pipe to a file of its own."""
        if log is not None:
            self._process = self._popen(log)
            return
        reading, writing = os.pipe()
        self._process = self._popen(writing)
        os.close(writing)
        self.log = LogReader(reading, self._log_file)

    def kill(self) -> None:
        """End it as the kernel would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self, *, timeout_s: float = 40) -> int:
        """End it as a supervisor would; its exit code, -9 if it did not end in time."""
        assert self._process is not None
        if self.log is not None:
            self.log.resume()
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return -9
        finally:
            self._process = None

    def freeze(self) -> None:
        """Stop it where it stands."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def probe(self, path: str) -> int:
        """The status that a probe is answered with; 0 for no answer."""
        try:
            url = f"http://127.0.0.1:{self.port}/{path}"
            with urllib.request.urlopen(url, timeout=_PROBE_S) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def _popen(self, log: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "consumers", "run", self.name],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stderr=log,
        )
