"""The line that is shown while a command thinks."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading

import pytest

from acrtm import waiting
from tests.acrtm.conftest import REPOSITORY

_SCRIPT = """
import sys
from acrtm.waiting import end_waiting, waiting
with waiting("Looking \\x1b]0;at\\x07 it"):
    sys.stdin.readline()
    end_waiting()
    print("answer", flush=True)
"""


def test_on_a_terminal_the_line_is_there_at_once_and_gone_before_the_answer() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while b"Looking" not in shown:
            shown += os.read(ours, 4096)
        out, _ = process.communicate(b"\n", timeout=30)
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    assert out == b"answer\n"
    # Taken away again, and nothing of the words could speak to the terminal.
    assert shown.rstrip().endswith((b"\x1b[2K", b"\x1b[?25h"))
    assert b"\x1b]0;" not in shown


def test_elsewhere_a_quick_answer_has_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting.waiting("Looking"):
        pass
    assert capsys.readouterr().err == ""


def test_elsewhere_a_slow_answer_has_one(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SILENT_SECONDS", 0.0)
    with waiting.waiting("Looking"):
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join()
    assert capsys.readouterr().err == "Looking\n"
