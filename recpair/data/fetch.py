"""Download of public data sets: resumable, verified, with atomic writes."""

import gzip
import hashlib
import http.client
import json
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import polars as pl

from recpair import files
from recpair.data.public import PUBLIC, PublicSet, RemoteFile, Tables
from recpair.errors import DataError, shown
from recpair.registry import nearest

Report = Callable[[str, int, int | None], None]  # file, bytes so far, total bytes

CHUNK = 1 << 16
TIMEOUT = 30  # seconds without a response


def fetch(
    name: str,
    root: Path,
    *,
    report: Report = lambda file, done, total: None,
    mirror: str | None = None,
    known: Mapping[str, PublicSet] = PUBLIC,
) -> Path:
    """Download a data set into ``<root>/<name>`` as Parquet; a complete one is not downloaded again.

    Args:
        report: called for each chunk (for a progress bar).
        mirror: ``scheme://host[:port]`` that replaces the host of all files.

    Raises:
        DataError: unknown name, no connection, an interrupted download, or content that differs from
            the published one. Interrupted downloads are kept and resumed.
    """
    if mirror is not None:
        _require_address(mirror)
    if name not in known:
        raise DataError(f"unknown data set {shown(name)}{nearest(name, known)} (known: {', '.join(known)})")
    with files.locked(root / name, error=DataError):
        return _fetched(known[name], root / name, report, mirror)


def _fetched(wanted: PublicSet, folder: Path, report: Report, mirror: str | None) -> Path:
    if (folder / "interactions.parquet").is_file():
        return folder
    raw = folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    sums = _known_sums(folder)
    for file in wanted.files:
        if not (raw / file.name).is_file():
            _download(file, raw / file.name, report, mirror)
        sums[file.name] = _verified(file, raw / file.name, sums.get(file.name))
    try:
        tables = wanted.convert(raw)
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, ValueError, KeyError, SyntaxError) as error:
        raise DataError(
            f"{raw} is not the expected file of {wanted.name} ({error}); delete it and fetch again"
        ) from None
    _check_content(wanted, tables)
    files.write_text(folder / "checksums.json", json.dumps(sums, indent=1))
    for kind in sorted(tables, reverse=True):  # interactions last: their presence marks a complete set
        files.write_frame(folder / f"{kind}.parquet", tables[kind])
    return folder


def _download(file: RemoteFile, target: Path, report: Report, mirror: str | None) -> None:
    """Download to ``<target>.part``, resuming a partial download, then rename."""
    url = _at(file.url, mirror)
    partial = target.with_name(target.name + ".part")
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            if answer.status != 206:  # the server restarts from the first byte
                have = 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            with partial.open("ab" if have else "wb") as out:
                while chunk := answer.read(CHUNK):
                    out.write(chunk)
                    have += len(chunk)
                    report(file.name, have, total)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # range not satisfiable: the partial file is complete
            partial.replace(target)
            return
        raise DataError(f"{url} returned {error.code} {error.reason}; the file may have moved") from None
    except urllib.error.URLError as error:
        raise DataError(
            f"cannot reach {urlsplit(url).netloc} ({error.reason}); check the network, or put {url} into {target.parent}"
        ) from None
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise DataError(
            f"the download of {url} stopped after {have:,} bytes ({error or type(error).__name__}); run the command again"
        ) from None
    if total is not None and have < total:
        raise DataError(
            f"the download of {url} stopped after {have:,} of {total:,} bytes; run the command again to continue"
        )
    partial.replace(target)


def _at(url: str, mirror: str | None) -> str:
    if mirror is None:
        return url
    scheme, host, *_ = urlsplit(mirror)
    return urlunsplit((scheme, host, *urlsplit(url)[2:]))


def _require_address(mirror: str) -> None:
    try:
        scheme, host, path, *rest = urlsplit(mirror)
        good = scheme in ("http", "https") and bool(urlsplit(mirror).hostname) and path in ("", "/") and not any(rest)
        good = good and (urlsplit(mirror).port or 0) >= 0 and not any(c.isspace() for c in host)
    except ValueError:  # an invalid bracket or port
        good = False
    if not good:
        raise DataError(f"--mirror is {shown(mirror)}; expected http://host or https://host, optionally with :port")


def _verified(file: RemoteFile, path: Path, before: str | None) -> str:
    """Verify a file by its published checksum and its previous SHA-256, if any; return its SHA-256."""
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    found = [
        (hashlib.md5(content, usedforsecurity=False).hexdigest(), file.md5),
        (hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest(), file.blob),
        (sha256, before),
    ]
    for value, expected in found:
        if expected is not None and value != expected:
            path.unlink()
            raise DataError(f"{path} has the checksum {value}, expected {expected}; it was deleted, fetch again")
    return sha256


def pairs_checksum(events: pl.DataFrame) -> str:
    """SHA-256 of the sorted (user_id, item_id) pairs as text, ids separated by a tab, pairs by a line break."""
    pairs = events.select(pl.concat_str("user_id", "item_id", separator="\t")).to_series().sort()
    return hashlib.sha256("\n".join(pairs).encode()).hexdigest()


def _known_sums(folder: Path) -> dict[str, str]:
    path = folder / "checksums.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _check_content(wanted: PublicSet, tables: Tables) -> None:
    events = tables["interactions"]
    found = events["user_id"].n_unique(), events["item_id"].n_unique(), len(events)
    if found != wanted.counts:
        raise DataError(
            f"{wanted.name} has {found} users, items and interactions, expected {wanted.counts}; "
            f"the publisher has changed the file"
        )
    if wanted.pairs is not None and (checksum := pairs_checksum(events)) != wanted.pairs:
        raise DataError(
            f"the users and items of {wanted.name} have the checksum {checksum}, expected {wanted.pairs}; "
            f"the publisher has changed the file"
        )
