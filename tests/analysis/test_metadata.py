"""Tags: what honest files say, and what hostile ones try."""

from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path

import pytest
import soundfile

from processor.analysis.metadata import Metadata, metadata
from processor.audio import decode
from tests import signals
from tests.signals import audio, sine

TAGS = {
    "title": "Ünder the Bridge — 橋",
    "artist": "Somebody & Sons",
    "album": "Album",
    "album_artist": "Various",
    "composer": "Bach",
    "genre": "Drum & Bass",
    "date": "2024-05-06",
    "track": "3/12",
    "comment": 'It\'s a "comment"',
}
ID3_TAGS = {**TAGS, "TBPM": "174", "TKEY": "F#m", "TSRC": "QZ1234567890"}
VORBIS_TAGS = {**TAGS, "BPM": "174", "INITIALKEY": "F#m", "ISRC": "QZ1234567890"}


def write(path: Path, container: str, codec: str, tags: dict[str, str]) -> Path:
    samples = sine(440, 0.5, -20.0, channels=2)
    return signals.write_encoded(path, samples, container=container, codec=codec, tags=tags)


def read(path: Path) -> Metadata:
    return metadata(decode(path))


# Honest files


@pytest.mark.parametrize(
    ("suffix", "container", "codec", "tags"),
    [
        ("mp3", "mp3", "libmp3lame", ID3_TAGS),
        ("flac", "flac", "flac", VORBIS_TAGS),
        ("ogg", "ogg", "libopus", VORBIS_TAGS),
    ],
)
def test_all_tags(tmp_path: Path, suffix: str, container: str, codec: str, tags: dict[str, str]) -> None:
    found = read(write(tmp_path / f"song.{suffix}", container, codec, tags))
    assert found.encoder is not None
    assert found == Metadata(
        title=TAGS["title"],
        artist=TAGS["artist"],
        album=TAGS["album"],
        album_artist=TAGS["album_artist"],
        composer=TAGS["composer"],
        genre=TAGS["genre"],
        release_date=TAGS["date"],
        track_number=TAGS["track"],
        tagged_tempo="174",
        tagged_key="F#m",
        isrc="QZ1234567890",
        comment=TAGS["comment"],
        encoder=found.encoder,
    )


def test_tags_of_mp4(tmp_path: Path) -> None:
    found = read(write(tmp_path / "song.m4a", "ipod", "aac", TAGS))
    assert (found.title, found.artist, found.album_artist) == (TAGS["title"], TAGS["artist"], TAGS["album_artist"])
    assert (found.composer, found.release_date, found.track_number) == (TAGS["composer"], TAGS["date"], TAGS["track"])


def test_tags_of_wav(tmp_path: Path) -> None:
    """RIFF INFO has no place for an album artist or a composer."""
    found = read(write(tmp_path / "song.wav", "wav", "pcm_s16le", TAGS))
    assert (found.title, found.artist, found.album) == (TAGS["title"], TAGS["artist"], TAGS["album"])
    assert (found.genre, found.release_date, found.comment) == (TAGS["genre"], TAGS["date"], TAGS["comment"])
    assert (found.album_artist, found.composer) == (None, None)


def test_tags_of_ogg_vorbis(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "song.ogg", "w", 48_000, 2, format="OGG", subtype="VORBIS") as file:
        file.title, file.artist = TAGS["title"], TAGS["artist"]
        file.write(sine(440, 0.5, -20.0, channels=2).T)
    found = read(tmp_path / "song.ogg")
    assert (found.title, found.artist) == (TAGS["title"], TAGS["artist"])


def test_a_file_without_tags(tmp_path: Path) -> None:
    found = read(signals.write_wav(tmp_path / "song.wav", sine(440, 0.5)))
    assert set(vars(found).values()) == {None}


def test_samples_in_memory_have_no_tags() -> None:
    assert set(vars(metadata(audio(sine(440, 0.5)))).values()) == {None}


# Hostile files


@pytest.fixture(scope="module")
def bare_mp3(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    content = write(tmp_path_factory.mktemp("mp3") / "bare.mp3", "mp3", "libmp3lame", {}).read_bytes()
    assert content[:3] == b"ID3"
    size = content[6] << 21 | content[7] << 14 | content[8] << 7 | content[9]
    return content[10 + size :]


def syncsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def id3_frame(name: str, body: bytes, *, version: int = 3, flags: int = 0) -> bytes:
    if version == 2:
        return name.encode() + len(body).to_bytes(3, "big") + body
    size = syncsafe(len(body)) if version == 4 else struct.pack(">I", len(body))
    return name.encode() + size + struct.pack(">H", flags) + body


def id3_text(name: str, text: str, *, version: int = 3) -> bytes:
    """A text frame in UTF-8."""
    return id3_frame(name, b"\x03" + text.encode(), version=version)


def id3(*frames: bytes, version: int = 3, flags: int = 0) -> bytes:
    content = b"".join(frames)
    return b"ID3" + bytes([version, 0, flags]) + syncsafe(len(content)) + content


def read_behind(folder: Path, tag: bytes, mp3: bytes) -> Metadata:
    """The tags of a file that begins with `tag`, whose sound must be there whatever the tag does."""
    path = folder / "song.mp3"
    path.write_bytes(tag + mp3)
    sound = decode(path)
    assert sound.duration_s == pytest.approx(0.5, abs=0.06)
    assert abs(sound.samples[:, 10_000:12_000]).max() == pytest.approx(0.1, abs=0.01)
    return metadata(sound)


@pytest.mark.parametrize("version", [3, 4])
def test_a_plain_id3_tag(tmp_path: Path, bare_mp3: bytes, version: int) -> None:
    tag = id3(id3_text("TIT2", "Title", version=version), id3_text("TPE1", "Me", version=version), version=version)
    found = read_behind(tmp_path, tag, bare_mp3)
    assert (found.title, found.artist) == ("Title", "Me")


def test_script_stays_text(tmp_path: Path, bare_mp3: bytes) -> None:
    """Nothing is escaped here: a page does that where it writes, and would do it twice."""
    hostile = "<script>alert(1)</script>"
    assert read_behind(tmp_path, id3(id3_text("TIT2", hostile)), bare_mp3).title == hostile


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\r\nor\tthree", "two lines  or three"),
        ("abc\u202egnp.exe", "abc\ufffdgnp.exe"),
        ("\u2066isolated\u2069", "isolated"),
        ("red \x1b[31malert\x07", "red \ufffd[31malert"),
        ("zero\u200bwidth", "zero\ufffdwidth"),
        ("line\u2028separator", "line\ufffdseparator"),
        ("  spaces  ", "spaces"),
        ("\u202e\u200b", None),
        ("", None),
    ],
)
def test_characters_that_forge_are_replaced(tmp_path: Path, bare_mp3: bytes, text: str, shown: str | None) -> None:
    assert read_behind(tmp_path, id3(id3_text("TIT2", text)), bare_mp3).title == shown


def test_control_characters_in_vorbis_comments(tmp_path: Path) -> None:
    found = read(write(tmp_path / "song.flac", "flac", "flac", {"title": "a\nb\u202ec", "artist": "<b>bold</b>"}))
    assert (found.title, found.artist) == ("a b\ufffdc", "<b>bold</b>")


def test_a_title_of_a_megabyte_is_cut(tmp_path: Path, bare_mp3: bytes) -> None:
    found = read_behind(tmp_path, id3(id3_text("TIT2", "x" * 1_000_000), id3_text("TPE1", "Me")), bare_mp3)
    assert (found.title, found.artist) == ("x" * 500, "Me")


@pytest.mark.parametrize("body", [b"\x00\xff\xfe\xfd", b"\x01\xff\xfea\x00\xd8\x00", b"\x03\xff\xfe\x80", b"\x07what"])
def test_text_that_is_not_in_its_encoding_is_no_error(tmp_path: Path, bare_mp3: bytes, body: bytes) -> None:
    found = read_behind(tmp_path, id3(id3_frame("TIT2", body), id3_text("TPE1", "Me")), bare_mp3)
    assert found.title is None or found.title.isprintable()


@pytest.mark.parametrize("version", [2, 3, 4])
def test_200_000_frames_are_passed_over(tmp_path: Path, bare_mp3: bytes, version: int) -> None:
    """FFmpeg alone needs minutes for them."""
    name = "TXX" if version == 2 else "TXXX"
    frames = b"".join(id3_text(name, f"{n}\0v", version=version) for n in range(200_000))
    start = time.process_time()
    found = read_behind(tmp_path, id3(frames, version=version), bare_mp3)
    assert time.process_time() - start < 5
    assert set(vars(found).values()) == {None}


MANY = b"".join(id3_text("TXXX", f"{n}\0v") for n in range(5000))


def test_an_extended_header_hides_no_frames(tmp_path: Path, bare_mp3: bytes) -> None:
    extended = struct.pack(">IHI", 6, 0, 0)
    honest = id3(extended, id3_text("TIT2", "Title"), flags=0x40)
    assert read_behind(tmp_path, honest, bare_mp3).title == "Title"
    hostile = id3(extended, id3_text("TIT2", "Title"), MANY, flags=0x40)
    assert read_behind(tmp_path, hostile, bare_mp3).title is None


def test_padding_ends_a_tag(tmp_path: Path, bare_mp3: bytes) -> None:
    assert read_behind(tmp_path, id3(id3_text("TIT2", "Title"), bytes(100_000)), bare_mp3).title == "Title"


def test_padding_hides_no_frames(tmp_path: Path, bare_mp3: bytes) -> None:
    """What follows zeros is read by FFmpeg all the same."""
    assert read_behind(tmp_path, id3(bytes(10), id3_text("TIT2", "Title"), MANY), bare_mp3).title is None


def test_90_000_vorbis_comments_are_passed_over(tmp_path: Path) -> None:
    """FFmpeg compares each with each other one; libFLAC reads up to 100,000."""
    soundfile.write(tmp_path / "plain.flac", sine(440, 0.5, -20.0).T, 48_000)
    plain = (tmp_path / "plain.flac").read_bytes()
    sound_at = plain.index(b"\xff\xf8")
    comments = [f"K{n}=v".encode() for n in range(90_000)]
    body = struct.pack("<II", 0, len(comments)) + b"".join(struct.pack("<I", len(one)) + one for one in comments)
    block = bytes([0x84]) + len(body).to_bytes(3, "big") + body
    path = tmp_path / "song.flac"
    path.write_bytes(plain[:4] + bytes([0]) + plain[5:42] + block + plain[sound_at:])
    start = time.process_time()
    sound = decode(path)
    found = metadata(sound)
    assert time.process_time() - start < 5
    assert (sound.duration_s, sound.source.partial) == (0.5, False)
    assert set(vars(found).values()) == {None}


@pytest.mark.parametrize("version", [3, 4])
def test_a_frame_that_unfolds_to_a_hundred_times_its_size_is_not_unfolded(
    tmp_path: Path, bare_mp3: bytes, version: int
) -> None:
    body = b"\x00" + b"A" * 50_000_000
    size, flags = (syncsafe(len(body)), 0x09) if version == 4 else (struct.pack(">I", len(body)), 0x80)
    bomb = id3_frame("TIT2", size + zlib.compress(body, 1), version=version, flags=flags)
    assert read_behind(tmp_path, id3(bomb, version=version), bare_mp3).title is None


def test_a_tag_that_promises_more_than_there_is(tmp_path: Path, bare_mp3: bytes) -> None:
    frame = b"TIT2" + struct.pack(">I", 0x7FFFFFFF) + b"\0\0" + b"\x03Title"
    assert read_behind(tmp_path, id3(frame), bare_mp3).title is None
