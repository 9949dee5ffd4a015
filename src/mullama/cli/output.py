"""What commands say on stderr: lines, and one line that updates itself on a terminal."""

from __future__ import annotations

import logging
import shutil
import sys
from typing import TextIO

_CLEAR = "\r\x1b[K"
_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class Progress:
    """Writes lines to `stream` (stderr). `update` is a terminal's pleasure, `line` is for all."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._shown = ""

    def update(self, text: str) -> None:
        """Replaces the updating line, where there is a terminal."""
        text = text[: shutil.get_terminal_size().columns - 1]  # a second row could not be cleared
        if self._terminal and text != self._shown:
            self._stream.write(_CLEAR + text)
            self._stream.flush()
            self._shown = text

    def line(self, text: str) -> None:
        """Writes a line that stays."""
        self.clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def clear(self) -> None:
        """Takes the updating line away."""
        if self._shown:
            self._stream.write(_CLEAR)
            self._stream.flush()
            self._shown = ""


class LineHandler(logging.Handler):
    """Log records as lines, which an updating line makes room for."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self.setFormatter(logging.Formatter(_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.line(self.format(record))


def log_to(progress: Progress, level: str) -> None:
    """Sends log records of `level` (debug, info, warning, error) and above there."""
    logging.basicConfig(level=level.upper(), handlers=[LineHandler(progress)])
