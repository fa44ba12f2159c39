"""Linear forms of many people in Parquet: what they were learned by, and what ranks photos for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from generic.errors import ClusterError
from piaa.adapters.prediction import Array
from piaa.cluster.folder import Folder
from piaa.cluster.tables import Table, facts_of, packed, read_table

FORMAT = "piaa forms 1"
_PREFIX, _SUFFIX = "users-", ".parquet"


@dataclass(frozen=True, kw_only=True)
class Forms:
    """Some people, fitted on one model."""

    model: str
    """The model's hash, 64 hex digits."""
    adapter: str
    users: Sequence[str]
    images: Sequence[Sequence[str]] = ()
    """The photos that each was learned from; empty if that was not read."""
    scores: Sequence[Sequence[float]] = ()
    """Her scores of them, on her scale; likewise."""
    scales: Array
    """Lowest and highest score of each, shape (u, 2)."""
    coefficients: Array
    """What is linear in a vector, see :mod:`piaa.adapters.linear_form`, shape (u, 2 + d)."""
    forms: Sequence[bytes]
    """All of it, as :meth:`piaa.adapters.linear_form.LinearForm.pack` gives it."""
    source: str = ""
    """What they were fitted from, in 64 hex digits; empty if nobody will ask."""


def name_of(block: int) -> str:
    """The file of a block of people.

    Example:
        >>> name_of(12)
        'users-000012.parquet'
    """
    return f"{_PREFIX}{block:06}{_SUFFIX}"


def is_forms(name: str) -> bool:
    """Whether a file's name is one of :func:`name_of`."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def number_of(name: str) -> int:
    """The block that :func:`name_of` named.

    Example:
        >>> number_of("users-000012.parquet")
        12
    """
    return int(name.removeprefix(_PREFIX).removesuffix(_SUFFIX))


def write_forms(folder: Folder, block: int, forms: Forms) -> None:
    """Write a block of people.

    Raises:
        OutputError, ClusterError: the folder refuses.
    """
    import pyarrow

    p = forms.coefficients.shape[1]
    numbers = pyarrow.array(np.ascontiguousarray(forms.coefficients).reshape(-1))
    table = pyarrow.table(
        {
            "user": pyarrow.array(forms.users, pyarrow.string()),
            "ratings": pyarrow.array([len(it) for it in forms.scores], pyarrow.int64()),
            "images": pyarrow.array(forms.images, pyarrow.list_(pyarrow.string())),
            "scores": pyarrow.array(forms.scores, pyarrow.list_(pyarrow.float64())),
            "scale_low": pyarrow.array(forms.scales[:, 0]),
            "scale_high": pyarrow.array(forms.scales[:, 1]),
            "coefficients": pyarrow.FixedSizeListArray.from_arrays(numbers, p),
            "form": pyarrow.array(forms.forms, pyarrow.binary()),
        }
    )
    facts = {"format": FORMAT, "model": forms.model, "adapter": forms.adapter, "source": forms.source}
    folder.write(name_of(block), packed(table, facts))


def form_files(folder: Folder) -> list[str]:
    """The files of a folder of forms, in their order.

    Raises:
        ClusterError: there are none.
    """
    names = [it for it in folder.stamps() if is_forms(it)]
    if not names:
        raise ClusterError(
            f"{folder.shown} holds no linear forms; make them: piaa fit-users RATINGS.parquet "
            "--vectors VECTORS "
            f"--out {folder.shown}"
        )
    return sorted(names)


def facts_of_forms(folder: Folder, name: str) -> dict[str, str]:
    """What a block of people says of itself: ``model``, ``adapter`` and ``source`` as in :class:`Forms`.

    Raises:
        ClusterError: the file is damaged, or not one of ours.
    """
    return facts_of(_table(folder, name, []))


def read_forms(folder: Folder, name: str, *, said: bool = False) -> Forms:
    """A block of people.

    Args:
        folder: where it lies.
        name: the file's.
        said: whether to read what they rated, too.

    Raises:
        ClusterError: the file is damaged, or not one of ours.
    """
    columns = ["user", "scale_low", "scale_high", "coefficients", "form"] + ["images", "scores"] * said
    table = _table(folder, name, columns)
    facts = facts_of(table)
    return Forms(
        model=facts["model"],
        adapter=facts["adapter"],
        users=table["user"].to_pylist(),
        images=table["images"].to_pylist() if said else (),
        scores=table["scores"].to_pylist() if said else (),
        scales=np.column_stack((table["scale_low"].to_numpy(), table["scale_high"].to_numpy())),
        coefficients=_numbers(table),
        forms=table["form"].to_pylist(),
        source=facts.get("source", ""),
    )


def _table(folder: Folder, name: str, columns: list[str]) -> Table:
    table = read_table(folder, name, columns)
    if table is None or facts_of(table).get("format") != FORMAT:
        raise ClusterError(
            f"{name} in {folder.shown} is no file of piaa fit-users; make it again, or name another folder"
        )
    return table


def blocks(forms: Forms, most: int) -> Iterator[slice]:
    """The people of a file, so many at once."""
    for start in range(0, len(forms.users), most):
        yield slice(start, min(start + most, len(forms.users)))


def _numbers(table: Table) -> Array:
    p = table.schema.field("coefficients").type.list_size
    parts = [chunk.flatten().to_numpy() for chunk in table["coefficients"].chunks]
    return np.concatenate(parts).reshape(-1, p) if parts else np.zeros((0, p))
