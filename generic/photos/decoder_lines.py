"""What libtiff and Pillow say while they decode: heard by the thread that reads the photo, never printed.

Of the libraries in C that decode photos for us only libtiff prints, on stderr, where nobody can tell of
which file it speaks. Its two handlers belong to the process, so each is replaced once, by one that asks
which thread it runs in: inside `hearing` the line is kept for that thread, in any other the handler that
was there before goes on. Pillow's own errors, which Python prints where no log is set up, are filtered
in the same way. Where Pillow holds libtiff inside itself (its wheels for Windows) the handlers cannot be
reached, and libtiff's lines are printed as ever.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, _imaging

_LONGEST = 500
_MOST_LINES = 100
_OF_PIXELS = ("Decode", "JPEGLib")
"""How names of those parts of libtiff end that decode pixels: what they report is damage."""


class _Heard(threading.local):
    """Lines of the current thread; None outside of `hearing`."""

    lines: list[str] | None = None


_heard = _Heard()


@contextmanager
def hearing() -> Iterator[None]:
    """Inside, what is said in this thread is kept, see `heard`, and not printed."""
    before = _heard.lines
    _heard.lines = []
    try:
        yield
    finally:
        _heard.lines = before


def heard() -> list[str]:
    """What was said in this thread since `hearing` began, one line each."""
    return list(_heard.lines or ())


def wrong_pixels(lines: list[str]) -> str | None:
    """The first line that says that pixels are wrong, though decoding went on; None if there is none.

    Example:
        >>> wrong_pixels(["TIFFReadDirectory: Unknown field", "Fax4Decode: Bad code word at line 9"])
        'Fax4Decode: Bad code word at line 9'
    """
    return next((line for line in lines if line.partition(":")[0].endswith(_OF_PIXELS)), None)


def _keep(words: str) -> None:
    if _heard.lines is not None and len(_heard.lines) < _MOST_LINES:
        _heard.lines.append(" ".join(words.split()))


def _keep_record(record: logging.LogRecord) -> bool:
    """A filter of Pillow's logs: whether others get the record."""
    if _heard.lines is None or record.levelno < logging.WARNING:
        return True
    _keep(record.getMessage())
    return False


_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
"""Of a module's name, a format as of printf, and its arguments as a va_list."""
_kept: list[Any] = []
"""The handlers, which must live as long as the process."""


def _install(name: str, vsnprintf: Callable[..., int], library: ctypes.CDLL) -> None:
    """Replace one of libtiff's handlers."""
    setter = getattr(library, name)
    setter.restype, setter.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

    def handle(module: bytes | None, form: bytes, arguments: int) -> None:
        if _heard.lines is None:
            if before is not None:
                before(module, form, arguments)
        else:
            text = ctypes.create_string_buffer(_LONGEST)
            vsnprintf(text, _LONGEST, form, ctypes.c_void_p(arguments))
            # What Pillow calls every file.
            names = [module] if module and module != b"tempfile.tif" else []
            _keep(b": ".join([*names, text.value]).decode("utf-8", "replace"))

    before: Callable[..., None] | None = None
    handler = _HANDLER(handle)
    address = setter(ctypes.cast(handler, ctypes.c_void_p))
    before = _HANDLER(address) if address else None
    _kept.extend((handler, before))


def _install_all() -> None:
    """Runs once, at import."""
    for plugin in (Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin):
        log = vars(plugin).get("logger")
        if isinstance(log, logging.Logger):
            log.addFilter(_keep_record)
    try:
        library = ctypes.CDLL(_imaging.__file__)
        vsnprintf = ctypes.CDLL(None).vsnprintf
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            _install(name, vsnprintf, library)
    # Windows has neither the one nor the other; a Pillow without libtiff has no handlers.
    except (AttributeError, OSError, TypeError):
        return


_install_all()
