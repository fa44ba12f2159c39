"""Whether a model file may be written: asked before the work that it would hold."""

from __future__ import annotations

from pathlib import Path

from generic.errors import OutputError
from generic.photos.find import printable


def check_new(out: Path, *, suffix: str, overwrite: bool, source: Path, what: str = "source") -> None:
    """A model file may be written at ``out``.

    Args:
        out: the file.
        suffix: what its name must end in.
        overwrite: it may exist.
        source: the file that is read meanwhile.
        what: that file is, for the message.

    Raises:
        OutputError: another ending, or the file exists, or it is the source itself.
    """
    shown = printable(str(out))
    if out.suffix != suffix:
        raise OutputError(f"cannot write {shown}: model files end in {suffix}; name it so")
    if out.exists() and source.exists() and out.samefile(source):
        raise OutputError(
            f"cannot write {shown}: it is the {what} file itself, which would be lost; name another file"
        )
    if out.exists() and not overwrite:
        raise OutputError(f"cannot write {shown}: it exists; name another or pass --overwrite")
