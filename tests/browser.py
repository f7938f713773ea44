"""A headless Chromium for the tests, driven over a pipe by its own debugging protocol: nothing to install beside it.

Real keys, real clicks, and a record of every request and every message on the console.
"""

from __future__ import annotations

import json
import select
import shutil
import subprocess
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

NAMES = "chromium", "chromium-browser", "google-chrome", "chrome"
PATH = next((path for name in NAMES if (path := shutil.which(name))), None)
WHY_NOT = "no Chromium on the PATH (on Debian: apt-get install chromium)"
_CODES = {"Tab": 9, "Enter": 13, "End": 35, "Home": 36}
_CODES |= {f"Arrow{way}": code for code, way in enumerate(("Left", "Up", "Right", "Down"), 37)}
_FLAGS = "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--window-size=1366,700"
_LAUNCH = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null'  # Chromium reads commands from descriptor 3 and answers on 4
_PATIENCE = 30.0  # seconds without a word


class Browser:
    """One page in one browser."""

    def __init__(self, profile: Path) -> None:
        command = ["sh", "-c", _LAUNCH, "sh", PATH, *_FLAGS, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(command, bufsize=0, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        self._buffer, self._number, self._session = b"", 0, {}
        self.events: list[dict[str, Any]] = []
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = {"sessionId": session}
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.command(f"{domain}.enable")
        self.command("Emulation.setDeviceMetricsOverride", width=1366, height=700, deviceScaleFactor=1, mobile=False)

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=_PATIENCE)

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters} | self._session
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return answer["result"]

    def _receive(self) -> dict[str, Any]:
        pipe = self._process.stdout
        while b"\0" not in self._buffer:
            assert select.select([pipe], [], [], _PATIENCE)[0], "the browser does not answer"
            part = pipe.read(1 << 16)
            assert part, "the browser is gone"
            self._buffer += part
        line, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, address: str) -> None:
        """Load a page and wait for it; forgets what the page before did."""
        for url in ("about:blank", address):  # else another fragment of the same page would not load it again
            self.events.clear()
            self.command("Page.navigate", url=url)
            while not any(event["method"] == "Page.loadEventFired" for event in self.events):
                self._receive()

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.command("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Return when a JavaScript expression is true."""
        wait = f"(async () => {{ while (!({condition})) await new Promise(done => setTimeout(done, 20)); }})()"
        self.command("Runtime.evaluate", expression=wait, awaitPromise=True)

    def press(self, *keys: str) -> None:
        for key in keys:
            text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
            for kind, written in (("keyDown" if text else "rawKeyDown", text), ("keyUp", {})):
                code = _CODES.get(key, 0)
                self.command("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **written)

    def type(self, text: str) -> None:
        """Keys that write a text over what a field holds."""
        self.ask("document.activeElement.select()")
        self.press(*text)

    def click(self, selector: str) -> None:
        box = self.ask(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def complaints(self) -> list[dict[str, Any]]:
        """Everything the page wrote to the console, every uncaught error, every violated policy."""
        kinds = "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"
        return [event["params"] for event in self.events if event["method"] in kinds]

    def requests(self) -> list[str]:
        """The addresses that the page asked for."""
        return [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
