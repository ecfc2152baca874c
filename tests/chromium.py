"""Chromium for the tests, driven through its own pipe (the DevTools protocol): nothing is needed but the browser."""

import fcntl
import json
import os
import select
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
          "--remote-debugging-pipe")  # fmt: skip
_SECONDS = 60.0  # patience with an answer
_TEXTS = {"Enter": "\r", "Space": " "}


def find():
    """The path of the browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A headless browser with a profile of its own in ``folder``."""

    def __init__(self, path, folder):
        # away from 3 and 4, where the browser looks for its ends of the pipes
        ends = [[fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in pair] for pair in (os.pipe(), os.pipe())]
        (theirs_in, self._out), (self._in, theirs_out) = ends

        def hand_over():
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        self._process = subprocess.Popen(
            [path, *_FLAGS, f"--user-data-dir={folder}", "about:blank"], preexec_fn=hand_over, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._rest, self._count, self.events = b"", 0, []

    def call(self, method, session=None, **params):
        """The answer to one command; what happens meanwhile goes to ``events``."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def _read(self):
        until = time.monotonic() + _SECONDS
        while b"\0" not in self._rest:
            assert select.select([self._in], [], [], max(0.0, until - time.monotonic()))[0], "the browser is silent"
            more = os.read(self._in, 1 << 16)
            assert more, "the browser has gone"
            self._rest += more
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def close(self):
        """End it."""
        self.call("Browser.close")
        self._process.wait(_SECONDS)
        os.close(self._in)
        os.close(self._out)


class Tab:
    """A page of a browser."""

    def __init__(self, browser, address, width=1280, scheme="light"):
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.call("Page.navigate", url=address)
        until = time.monotonic() + _SECONDS
        while self.evaluate("document.readyState + location.href") != "complete" + address:
            assert time.monotonic() < until, "the page isn't loaded"
            time.sleep(0.02)

    def call(self, method, **params):
        """The answer to a command for this page."""
        return self._browser.call(method, self._session, **params)

    def evaluate(self, expression):
        """The value of an expression of JavaScript."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def click(self, element):
        """Click in the middle of what an expression of JavaScript names."""
        x, y = self.evaluate(
            f"(e => {{ e.scrollIntoView({{block: 'center', inline: 'center'}}); const b = e.getBoundingClientRect();"
            f" return [b.x + b.width / 2, b.y + b.height / 2] }})({element})"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key):
        """Press 'Enter' or 'Space'."""
        text = _TEXTS[key]
        how = {"key": "Enter" if key == "Enter" else " ", "code": key, "windowsVirtualKeyCode": ord(text)}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **how)
        self.call("Input.dispatchKeyEvent", type="keyUp", **how)

    def seen(self):
        """Addresses asked for, and messages of scripts, so far."""
        found = []
        for event in self._browser.events:
            if event.get("sessionId") == self._session:
                params = event["params"]
                if event["method"] == "Network.requestWillBeSent":
                    found.append(params["request"]["url"])
                elif event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
                    found.append(json.dumps(params))
        return found
