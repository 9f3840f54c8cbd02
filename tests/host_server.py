"""A real ComfyUI server with the pack as a custom node, in a folder that is thrown away, and a client for it.

Nothing but the standard library here: the tests run in ComfyUI's own environment or in any other.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PACK_FOLDER = "gatys style.transfer v0.1"
"""Neither an identifier nor free of dots: people may call the folder what they like."""
NO_INSTALLATION = "no ComfyUI host: set COMFYUI_PATH to a checkout and COMFYUI_PYTHON to its Python"
INSTRUMENTS = REPOSITORY / "tests" / "host_instruments.py"
"""A custom node of the tests' own, beside the pack."""
BOOT_SECONDS, ANSWER_SECONDS = 180, 120


@dataclass(frozen=True)
class Installation:
    comfy: Path
    python: str

    @property
    def newer(self) -> bool:
        """Whether it is a host as of 2026 (0.28.2): there a cancel is no `Exception`, a progress bar leaves values out that come
        soon after another, and the server checks choices before anything runs."""
        source = (self.comfy / "comfy" / "model_management.py").read_text(encoding="utf-8")
        return "class InterruptProcessingException(BaseException)" in source


def find_installation() -> Installation | None:
    """COMFYUI_PATH, or the ComfyUI whose `custom_nodes/` this is in; its Python is COMFYUI_PYTHON, or this one."""
    python = os.environ.get("COMFYUI_PYTHON") or sys.executable
    named = os.environ.get("COMFYUI_PATH")
    if named:
        return Installation(Path(named).resolve(), python)  # wrong is an error, no reason to skip
    if REPOSITORY.parent.name == "custom_nodes" and (REPOSITORY.parent.parent / "main.py").is_file():
        return Installation(REPOSITORY.parent.parent, python)
    return None


def clean_environment() -> dict[str, str]:
    """Without this process's Python settings, which are another environment's; one thread is best for tiny pictures."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    return kept | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


class WebSocket:
    """The receiving half of a WebSocket (RFC 6455)."""

    def __init__(self, port: int, path: str):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        key = base64.b64encode(os.urandom(16)).decode()
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._socket.sendall(f"{request}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self._stream = self._socket.makefile("rb")
        status = self._stream.readline()
        if b" 101 " not in status:
            raise ConnectionError(f"{path}: {status!r}")
        while self._stream.readline() not in (b"\r\n", b""):
            pass

    def receive(self) -> str | bytes:
        """The next message."""
        message, kind = b"", 0
        while True:
            first, second = self._read(2)
            length = second & 127
            if length > 125:
                (length,) = struct.unpack(">H" if length == 126 else ">Q", self._read(2 if length == 126 else 8))
            payload, code = self._read(length), first & 15
            if code == 8:
                raise ConnectionError("the server closed the WebSocket")
            if code > 8:
                continue  # ping and pong; no test is long enough for an answer to matter
            message, kind = message + payload, code or kind
            if first & 128:
                return message.decode() if kind == 1 else message

    def _read(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) < count:
            raise ConnectionError("the server hung up")
        return data

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


@dataclass
class Run:
    """What became of one prompt."""

    status: str = "unfinished"
    """"success", "error" or "interrupted"."""
    error: dict = field(default_factory=dict)
    cached: list[str] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)
    """Nodes in the order in which they were begun; the last one is where a run ended early."""
    progress: list[tuple[str, float, float]] = field(default_factory=list)
    """(node, value, maximum) of each event."""
    previews: list[bytes] = field(default_factory=list)
    """Encoded pictures."""
    outputs: dict = field(default_factory=dict)

    @property
    def message(self) -> str:
        return f"{self.error.get('node_type')}: {self.error.get('exception_message')}"

    @property
    def finished(self) -> set[str]:
        """The nodes that were done, from the cache or by this run."""
        return {*self.cached, *(self.executed if self.status == "success" else self.executed[:-1])}


class Server:
    def __init__(self, installation: Installation, base: Path, *arguments: str, pack: str = PACK_FOLDER):
        self.base, self.log = base, base / "server.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        packs = base / "custom_nodes"
        for folder in (packs, base / "input", base / "output", base / "temp", base / "user", base / "models"):
            folder.mkdir(parents=True, exist_ok=True)
        place = packs / pack
        try:
            if not place.exists():  # as it does when a server starts again
                place.symlink_to(REPOSITORY, target_is_directory=True)
        except OSError:  # Windows without the privilege
            shutil.copytree(REPOSITORY, place, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        shutil.copy(INSTRUMENTS, packs)
        command = [installation.python, "main.py", "--base-directory", str(base), "--port", str(self.port)]
        command += ["--listen", "127.0.0.1", "--disable-auto-launch", "--disable-api-nodes"]
        command += ["--database-url", f"sqlite:///{base / 'user' / 'comfyui.db'}", *arguments]
        with self.log.open("wb") as log:
            files = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self._process = subprocess.Popen(command, cwd=installation.comfy, env=clean_environment(), **files)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        end = time.monotonic() + BOOT_SECONDS
        while True:
            try:
                self.get("/system_stats")
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"ComfyUI did not start:\n{self.log_text()[-4000:]}") from None
                time.sleep(0.1)

    def stop(self) -> None:
        for ask in (self._process.terminate, self._process.kill):
            if self._process.poll() is None:
                ask()
                try:
                    self._process.wait(10)
                except subprocess.TimeoutExpired:
                    continue

    def kill(self) -> None:
        """SIGKILL, as when the machine runs out of memory."""
        self._process.kill()
        self._process.wait()

    def address_space(self) -> int:
        """Bytes that the server has. Linux only."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmSize"))

    def limit_memory(self, more: int | None) -> None:
        """Let the server take `more` bytes of address space than it has now, None for any number."""
        import resource

        limit = resource.RLIM_INFINITY if more is None else self.address_space() + more
        resource.prlimit(self._process.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    # HTTP

    def _ask(self, path: str, data: bytes | None = None, kind: str = "application/json") -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as reply:
                return reply.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.code} {error.read().decode(errors='replace')[:4000]}") from None

    def get(self, path: str) -> dict:
        return json.loads(self._ask(path))

    def post(self, path: str, body: dict) -> bytes:
        return self._ask(path, json.dumps(body).encode())

    def upload(self, name: str, data: bytes) -> str:
        """Put a picture where Load Image finds it."""
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
        body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
        return json.loads(self._ask("/upload/image", body, f"multipart/form-data; boundary={boundary}"))["name"]

    def view(self, file: dict) -> bytes:
        return self._ask("/view?" + urllib.parse.urlencode(file))

    # prompts

    def run(
        self,
        prompt: dict,
        on_progress: Callable[[str, float], None] = lambda node, value: None,
        on_event: Callable[[str, dict], None] = lambda kind, data: None,
    ) -> Run:
        """Post a prompt in the API's format and follow it to its end."""
        client, prompt_id, run = uuid.uuid4().hex, str(uuid.uuid4()), Run()
        events = WebSocket(self.port, f"/ws?clientId={client}")
        try:
            body = {"prompt": prompt, "client_id": client, "prompt_id": prompt_id}
            reply = json.loads(self.post("/prompt", body))
            if reply["node_errors"]:  # the server drops such branches and answers 200 all the same
                raise RuntimeError(f"refused: {reply['node_errors']}")
            while True:
                message = events.receive()
                if isinstance(message, bytes):
                    kind, picture_format = struct.unpack(">II", message[:8])
                    if kind == 1 and picture_format in (1, 2):
                        run.previews.append(message[8:])
                    continue
                event = json.loads(message)
                kind, data = event["type"], event.get("data") or {}
                if data.get("prompt_id") != prompt_id:
                    continue
                on_event(kind, data)
                if kind == "execution_cached":
                    run.cached = data["nodes"]
                elif kind == "progress":
                    run.progress.append((data["node"], data["value"], data["max"]))
                    on_progress(data["node"], data["value"])
                elif kind in ("execution_success", "execution_error", "execution_interrupted"):
                    run.status = kind.removeprefix("execution_")
                    run.error = data if kind == "execution_error" else {}
                elif kind == "executing":
                    if data.get("node") is None:
                        break  # the worker is free again
                    run.executed.append(data["node"])
        finally:
            events.close()
        run.outputs = self._outputs(prompt_id)
        return run

    def _outputs(self, prompt_id: str) -> dict:
        for _ in range(100):  # the history is written just after the last event
            history = self.get(f"/history/{prompt_id}")
            if prompt_id in history:
                return history[prompt_id]["outputs"]
            time.sleep(0.05)
        raise RuntimeError(f"no history of {prompt_id}")

    def interrupt(self) -> None:
        self.post("/interrupt", {})

    def forget(self) -> None:
        """Have the server drop all models and cached outputs, and wait until it has."""
        before, end = self.get("/instruments/resets"), time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < end:
            self.post("/free", {"unload_models": True, "free_memory": True})
            for _ in range(200):
                if self.get("/instruments/resets") != before:
                    return
                time.sleep(0.01)
            # the host has forgotten it, as it does where it comes just after a run; ask again
        raise TimeoutError(f"/free was not obeyed:\n{self.log_text()[-4000:]}")
