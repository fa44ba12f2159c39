"""The files of a bucket, page by page: a prefix may hold a hundred million of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from piaa.cluster.folder import file_system, patiently, unreachable
from piaa.cluster.found import Found


def list_bucket(url: str) -> Iterator[Found]:
    """Every file below a URL whose name has no part that begins with a dot, in the order of the keys.

    S3 gives pages of a thousand keys in their order. Of other stores a folder at a time is in memory.

    Raises:
        ClusterError: the bucket cannot be listed.
    """
    system = file_system(url)
    try:
        files = _pages_of_s3(system, url) if _is_s3(system) else _folders(system, url)
        yield from (it for it in files if "/." not in it.uri.partition("://")[2])
    except OSError as error:
        raise unreachable(url, "listed", error) from None


def _is_s3(system: Any) -> bool:  # noqa: ANN401 - of fsspec, which has no types
    protocol = system.protocol
    return "s3" in ((protocol,) if isinstance(protocol, str) else protocol)


def _pages_of_s3(system: Any, url: str) -> Iterator[Found]:  # noqa: ANN401
    bucket, _, prefix = url.partition("://")[2].partition("/")
    prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    asked: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    while True:
        page = patiently(lambda: system.call_s3("list_objects_v2", **asked))
        for row in page.get("Contents", ()):
            if not row["Key"].endswith("/"):
                yield Found(f"s3://{bucket}/{row['Key']}", int(row["Size"]), row["ETag"].strip('"'))
        if not page.get("IsTruncated"):
            return
        asked["ContinuationToken"] = page["NextContinuationToken"]


def _folders(system: Any, folder: str) -> Iterator[Found]:  # noqa: ANN401
    rows = patiently(lambda: system.ls(folder, detail=True, refresh=True))
    scheme = folder.partition("://")[0]
    for row in sorted(rows, key=lambda row: row["name"].rstrip("/") + "/" * (row["type"] == "directory")):
        url = f"{scheme}://{system._strip_protocol(row['name']).lstrip('/')}"
        if row["type"] == "directory":
            yield from _folders(system, url)
        else:
            mark = next((row[key] for key in ("ETag", "etag", "mtime", "created") if row.get(key)), "")
            yield Found(url, int(row["size"] or 0), str(mark).strip('"'))
