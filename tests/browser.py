"""Headless Chromium, spoken to through a pipe by the DevTools protocol."""

import base64
import json
import os
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SECONDS = 60


def find():
    """The path of a browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A browser with one tab; a context manager.

    Attributes:
        requests: List of str, every URL that the page asked for, `data:` left out.
        complaints: List of str, errors and messages of its console.
    """

    def __init__(self, path, profile):
        # The protocol takes commands from file 3 and answers in file 4.
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        script = f'exec "$0" "$@" 3<&{commands} 4>&{answers}'
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        flags += ["--remote-debugging-pipe", f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            ["bash", "-c", script, path, *flags],
            pass_fds=(commands, answers),
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._left, self._number, self._events = b"", 0, []
        self._session = None
        self.requests, self.complaints = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def open(self, path, width, height=900):
        """Shows a file in a window of this size, and waits until it is loaded."""
        size = {"width": width, "height": height}
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **size,
            deviceScaleFactor=1,
            mobile=False,
        )
        self._events.clear()
        self.call("Page.navigate", url=f"file://{path}")
        while not any(e["method"] == "Page.loadEventFired" for e in self._events):
            self._receive()

    def value(self, expression):
        """What a JavaScript expression gives."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def screenshot(self):
        """PNG of what the window shows."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def call(self, method, **params):
        """Sends a command; returns its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _receive(self):
        ends = time.monotonic() + _SECONDS
        while b"\0" not in self._left:
            piece = os.read(self._answers, 1 << 20)
            assert piece and time.monotonic() < ends, "the browser has gone"
            self._left += piece
        line, self._left = self._left.split(b"\0", 1)
        message = json.loads(line)
        if "method" in message:
            self._note(message)
        return message

    def _note(self, event):
        self._events.append(event)
        params = event["params"]
        if event["method"] == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if not url.startswith("data:"):
                self.requests.append(url)
        if event["method"] in (
            "Log.entryAdded",
            "Runtime.exceptionThrown",
            "Runtime.consoleAPICalled",
            "Page.javascriptDialogOpening",
        ):
            self.complaints.append(json.dumps(params))
