"""A headless Chromium for the tests, spoken to by its own protocol over a web socket (RFC 6455):
https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
import urllib.request
from pathlib import Path

PROGRAM = shutil.which("chromium")
PATIENCE = 120


class Browser:
    """One page. Use it as a context."""

    def __init__(self, folder: Path) -> None:
        port = folder / "DevToolsActivePort"
        self.process = subprocess.Popen(
            [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-dev-shm-usage", f"--user-data-dir={folder}", "--remote-debugging-port=0",
             "--remote-allow-origins=*", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        self.folder = folder
        self.number = 0
        self.socket = self.stream = None
        try:
            self._connect(port)
        except BaseException:
            self.__exit__()
            raise

    def _connect(self, port: Path) -> None:
        end = time.monotonic() + PATIENCE
        while not port.exists() or not port.read_text(encoding="ascii").strip():
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError("chromium does not start")
            time.sleep(0.1)
        where = f"127.0.0.1:{port.read_text(encoding='ascii').splitlines()[0]}"
        with urllib.request.urlopen(f"http://{where}/json", timeout=PATIENCE) as answer:
            page = next(p for p in json.load(answer) if p["type"] == "page")
        path = page["webSocketDebuggerUrl"].split(where, 1)[1]
        host, number = where.split(":")
        self.socket = socket.create_connection((host, int(number)), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: {where}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                             "Sec-WebSocket-Version: 13\r\n\r\n").encode())
        self.stream = self.socket.makefile("rb")
        while self.stream.readline().strip():
            pass

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self.stream, self.socket):
            if end is not None:
                end.close()
        self.process.terminate()
        self.process.wait(PATIENCE)
        # Its helpers outlive it for a moment, and write into its folder until then.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        end = time.monotonic() + PATIENCE
        while self.folder.exists() and time.monotonic() < end:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _message(self) -> dict:
        text = b""
        while True:
            first, second = self.stream.read(2)
            length = second & 127
            if length == 126:
                length = struct.unpack(">H", self.stream.read(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self.stream.read(8))[0]
            text += self.stream.read(length)
            if first & 128:
                return json.loads(text)

    def call(self, method: str, **parameters: object) -> dict:
        """One command, and its result."""
        self.number += 1
        data = json.dumps({"id": self.number, "method": method, "params": parameters}).encode()
        mask = os.urandom(4)
        head = bytes([0x81, 0x80 | len(data)]) if len(data) < 126 else \
            bytes([0x81, 0x80 | 126]) + struct.pack(">H", len(data))
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))
        while True:
            message = self._message()
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    def value(self, expression: str) -> object:
        """What JavaScript says in the page."""
        return self.call("Runtime.evaluate", expression=expression,
                         returnByValue=True)["result"].get("value")

    def show(self, url: str, width: int = 1400, height: int = 900) -> None:
        """Opens a page in a window of a size, and waits until it is complete."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)
        self.call("Page.navigate", url=url)
        self.until("document.readyState == 'complete' && location.href != 'about:blank'")

    def until(self, expression: str) -> None:
        """Waits until JavaScript says that something is so."""
        end = time.monotonic() + PATIENCE
        while not self.value(expression):
            if time.monotonic() > end:
                raise RuntimeError(f"{expression} never came true")
            time.sleep(0.2)

    def picture(self) -> bytes:
        """The window as a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
