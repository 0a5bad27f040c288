"""A real browser without a window, spoken to by the DevTools protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

PATIENCE_S = 60.0

_PIPES = ["sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1', "sh"]
"""The protocol reads from descriptor 3 and writes to 4, a message and a zero byte at a time."""

_QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]


class Browser:
    """Loads pages and reads them.

    Args:
        process: the browser's, with its protocol on stdin and stdout.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from = process.stdin, process.stdout
        self._asked = 0

    def texts(self, address: str, *words: str) -> list[str]:
        """The page's texts, piece by piece from top to bottom, as soon as every word begins one of them.

        Raises:
            AssertionError: a word did not come; says which, and what there is.
        """
        page = self._ask("Target.createTarget", url=address)["targetId"]
        session = self._ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        deadline = time.monotonic() + PATIENCE_S
        while True:
            shown = self._ask("Runtime.evaluate", session, expression="document.body?.innerText ?? ''")["result"]["value"]
            found = list(filter(None, map(str.strip, shown.splitlines())))
            missing = [word for word in words if not any(text.startswith(word) for text in found)]
            if not missing:
                self._ask("Target.closeTarget", targetId=page)
                return found
            assert time.monotonic() < deadline, f"{address} lacks {missing}: {found}"
            time.sleep(0.1)

    def _ask(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Calls a method and waits for its answer; what the browser tells by itself meanwhile is of no interest."""
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": params, **({"sessionId": session} if session else {})}
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self._asked:
                result: dict[str, Any] = answer["result"]
                return result

    def _message(self) -> bytes:
        """The next one."""
        read = bytearray()
        while (byte := self._from.read(1)) != b"\0":
            assert byte, "the browser has gone"
            read += byte
        return bytes(read)


@contextmanager
def browsing(profile: Path, size: Sequence[int] = (1500, 1200)) -> Iterator[Browser]:
    """A browser whose window has this size in pixels; it ends with the block."""
    options = ["--headless", "--no-sandbox", "--remote-debugging-pipe", f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"]
    command = [*_PIPES, str(PROGRAM), *options, *_QUIET]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Browser(process)
        assert process.stdin is not None
        process.stdin.close()  # which ends it
