"""A photo's bytes, from a disk or a bucket; what is broken is told apart from what is only away."""

from __future__ import annotations

from generic.errors import ImageError
from generic.photos.find import printable
from piaa.cluster.folder import file_system, is_bucket, local_path, patiently, unreachable


def read_photo(uri: str) -> bytes:
    """All bytes of a photo's file.

    Raises:
        ImageError: it is not there any more, or nobody may read it; asking again would not help.
        ClusterError: the disk or the bucket fails; the photo may be whole.
    """
    try:
        if is_bucket(uri):
            content: bytes = patiently(lambda: file_system(uri).cat_file(uri))
            return content
        return local_path(uri).read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{printable(uri)} is not there any more; list the source again") from None
    except PermissionError as error:
        if is_bucket(uri):  # wrong keys concern all photos of a bucket
            raise unreachable(uri, "read", error) from None
        raise ImageError(f"{printable(uri)} cannot be read: no permission; change it (chmod a+r)") from None
    except OSError as error:
        raise unreachable(uri, "read", error) from None
