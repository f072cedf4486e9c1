"""`report.md`: the whole report, deterministic, and nothing but text whatever a file or a person says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from processor import library, record
from processor.analysis import result_types
from processor.library import Arrival, Track
from processor.quantities import columns
from processor.record import Failure, Record
from processor.site.markdown import REPORT_NAME, Report, code, escaped, report, write_report
from processor.site.markdown_pictures import NAMES
from processor.workspace import Workspace
from tests.libraries import HOSTILE, fail, invented, make_track, say

ATTACKS = (
    HOSTILE,
    "# heading\n# another",
    "![x](http://evil.example/x.png) [link](javascript:alert(1)) [ref]: http://evil.example",
    "<http://evil.example> http://evil.example https://evil.example www.evil.example ftp://evil.example a@evil.example",
    "a | b | c\n| :-- | --: |\n| 1 | 2 |",
    "trailing backslash \\",
    "\\| \\\\| \\` \\<b>",
    "```\ncode\n```",
    "~~~\ncode\n~~~",
    "`` ` ``` `tick`",
    "*a* **b** _c_ __d__ ~~e~~ ***f***",
    "@somebody #123 someone/thing#1 :smile: :+1: :100:",
    "[^1] [^1]: note",
    "> quote", "- item", "+ item", "1. one", "2) two", "---", "===", "    code", "- [ ] task", "[!WARNING]",
    "&lt;b&gt; &#60;b&#62; &amp; &copy",
    "$x^2$ $$y$$ $`z`$ it cost $5 and $6",
    "{{ site.title }} {% include x %}",
    "<details><summary>x</summary>", "</details></table>", "<!-- gone", "<![CDATA[x]]>", "<?php ?>",
    "\u202egpj.exe \ud800 \x00 \x1b[31m \u2028 \x85 \r\n",
    "   ",
)  # fmt: skip
TAGS = {"<span>", "</span>", "<code>", "</code>", "<details>", "</details>", "<summary>", "</summary>"}
WHAT: dict[str, Any] = {
    "source__duration_s": 215.0, "source__codec": "FLAC", "source__sample_rate_hz": 44100, "source__bit_depth": 16,
    "source__layout": "stereo", "source__partial": False, "source__streamed": False, "source__channels": 2,
    "loudness__integrated_lufs": -9.46, "loudness__true_peak_dbtp": -0.3, "loudness__range_lu": None,
    "beats__tempo_bpm": 128.0, "beats__confidence": 0.55, "beats__candidates": (128.0, 64.0), "beats__metre": 4,
    "key__name": "F# minor", "key__camelot": "11A", "key__confidence": 0.4, "key__runner_up": "A major",
    "key__runner_up_camelot": "11B", "key__intervals_s": np.array([[0.0, 100.0], [100.0, 215.0]]),
    "key__names": ("F# minor", None), "levels__dr": 8, "levels__is_silent": False, "levels__clipped_samples": 0,
    "stereo__width": 33.3, "stereo__is_mono": False, "stereo__negative_s": 0.0, "spectrum__looks_lossy": False,
    "spectrum__sub_share": 50.0, "spectrum__bass_share": 25.0, "spectrum__low_mids_share": 12.5,
    "spectrum__mids_share": 7.0, "spectrum__high_mids_share": 0.4, "spectrum__air_share": None,
    "sections__intervals_s": np.array([[0.0, 60.5], [60.5, 215.0]]), "sections__labels": ("A", "B"),
    "sections__roles": ("intro", "section"), "sections__role_confidences": (0.5, 0.0),
    "chords__intervals_s": np.array([[0.0, 2.0], [2.0, 215.0]]), "chords__labels": ("F#:min", "N"),
    "metadata__artist": "Caesium & Co", "metadata__album": None, "metadata__genre": "Trance",
    "metadata__release_date": "2020-02-02",
}  # fmt: skip
BEGINNING = """\
# A title

**Caesium & Co**

`deep analysis done` `Trance` `2020` `late`

## About

| What | Value |
| :-- | :-- |
| Length | **3:35** |
| Tempo | **128.0 BPM** (55\u00a0% sure, else 64.0) |
| Beats a bar | 4 |
| Key | **F# minor** (40\u00a0% sure, else A major (11B)) |
| Camelot | 11A |
| Loudness | **−9.5 LUFS** |
| True peak | **−0.3 dBTP** (over −1) |
| Loudness range | — |
| Dynamic range | 8 DR |
| Width | 33.3 % |
| Artist | Caesium & Co |
| Genre | Trance |
| Rating | 4 `your word` |
| Note | good \\*one\\* `your word` |
| Format | FLAC, 44100 Hz, 16 bit, stereo |
| File | One.flac |
| Dropped | 2026-11-20 06:30 as late/One.flac |

## Loudness over time

![Short-term loudness over time](report/loudness.svg)

Each point is the loudness of 3 seconds in LUFS. The dashed line is that of the whole: −9.5 LUFS.

| Band | Share of the energy |  |
| :-- | --: | :-- |
| Sub | 50.0 % | ██████████ |
| Bass | 25.0 % | █████ |
| Low mids | 12.5 % | ██▌ |
| Mids | 7.0 % | █▍ |
| High mids | 0.4 % | ▏ |
| Air | — |  |

## Sections

![Sections of the piece](report/sections.svg)

| Start | End | Label | Role | Sure of the role | Key |
| --: | --: | :-- | :-- | --: | :-- |
| 0:00 | 1:00 | A | intro | 50\u00a0% | F# minor |
| 1:00 | 3:35 | B | section | — | — |

## Chords

<details>
<summary>2 chords with their times</summary>

0:00 F#m · 0:02 –

</details>

## All numbers
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def made(results: Mapping[str, Any], name: str = "One.flac", **more: Any) -> Record:
    return Record("track", "ab" * 32, name, results, {}, **more)


def everything() -> dict[str, Any]:
    return {name: invented(kind) for name, kind in result_types().items()}


def text_of_track(track: Track) -> str:
    write_report(track)
    return (track.folder / REPORT_NAME).read_text(encoding="utf-8")


def test_the_beginning_says_what_everybody_asks_for(workspace: Workspace) -> None:
    track = make_track(workspace, "One.flac", path="late/One.flac", **WHAT)
    say(track, title="A title", rating=4, note="good *one*")
    text = text_of_track(track)
    # What models heard, and the prompt, have tests of their own.
    text = text[: text.index("## Prompt")] + text[text.index("## Loudness over time") :]
    assert text[: text.index("### ")].rstrip() + "\n" == BEGINNING


def test_every_field_of_every_analyser_is_there_once(workspace: Workspace) -> None:
    text = text_of_track(make_track(workspace, "One.wav"))
    for name, kind in result_types().items():
        for column in columns(kind):
            (row,) = [line for line in text.splitlines() if f"`{name}.{column.name}`" in line]
            q = column.quantity
            cells = re.split(r"(?<!\\)\|", row)
            assert [cells[1].strip(), cells[3].strip()] == [escaped(q.label), escaped(q.unit) if q.unit else ""]
            assert cells[5].strip() == escaped(q.source)
            assert f"- **{escaped(q.label)}**: {escaped(q.help)}\n" in text


def test_values_stand_beside_their_labels(workspace: Workspace) -> None:
    text = text_of_track(
        make_track(workspace, "One.wav", **(WHAT | {"levels__clipped_samples": 1234567, "levels__rms_dbfs": None}))
    )
    assert "| −9.5 | LUFS | `loudness.integrated_lufs` |" in text
    assert "| 1\u2009234\u2009567 | samples | `levels.clipped_samples` |" in text
    assert "| — | dBFS | `levels.rms_dbfs` |" in text
    assert "| 2 × 2 values, 0.00 to 215.00 | s | `sections.intervals_s` |" in text


def test_a_long_list_folds_out(workspace: Workspace) -> None:
    names = tuple("ABCDEFGHIJ")
    text = text_of_track(make_track(workspace, "One.wav", key__names=names, chords__labels=names))
    assert "| A / B / C / D / E / F / G / H / … (10) |  | `key.names` |" in text
    assert f"all 10 values</summary>\n\n{' / '.join(names)}\n\n</details>" in text
    assert text.count("all 10 values") == 1  # the chords stand with their times
    assert text.count("<details>") == text.count("</details>")


def test_many_values_and_sections_are_cut_short() -> None:
    times = np.stack([np.arange(1500.0), np.arange(1500.0) + 1], axis=1)
    results = everything()
    results["source"] = replace(results["source"], duration_s=1500.0)
    results["chords"] = replace(results["chords"], intervals_s=times, labels=("C:maj",) * 1500)
    results["key"] = replace(results["key"], names=("C major",) * 1500)
    results["sections"] = replace(results["sections"], intervals_s=times, labels=("A",) * 1500, roles=("intro",))
    text = report(made(results), {}, []).text
    assert "1500 chords with their times" in text
    assert text.count("C ·") == 1000
    assert "· 500 more" in text
    assert text.count(" / C major") == 7 + 999
    assert "1400 more sections are in the record." in text


@pytest.mark.parametrize(("kind", "word"), [("failed", "Failed"), ("skipped", "Skipped")])
def test_a_failed_analyser_says_why(workspace: Workspace, kind: str, word: str) -> None:
    track = make_track(workspace, "One.wav")
    fail(track, "loudness", "no *room* | left")
    found = record.read(track.folder, result_types())
    record.write(replace(found, failures={"loudness": Failure(kind, "no *room* | left")}), track.folder)
    text = text_of_track(track)
    assert f"### Loudness\n\n**{word}:** no \\*room\\* \\| left\n\n###" in text
    assert "`loudness.integrated_lufs`" not in text
    assert "loudness.svg" not in text
    assert f"`1 {kind}`" in text


def test_a_damaged_file_says_so(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav", source__partial=True, source__damage="cut <off>.")
    text = text_of_track(track)
    assert "**Some of this file could not be read:** cut \\<off\\>. Every number is of the rest." in text


def test_silence_has_a_report_without_pictures() -> None:
    results: dict[str, Any] = {}
    for name, kind in result_types().items():
        one = invented(kind)
        nothing = {c.name: None for c in columns(kind) if c.type is not c.base_type}
        curves = {c.name: np.zeros(0) for c in columns(kind) if c.is_curve}
        lists = {c.name: () for c in columns(kind) if c.name not in nothing and isinstance(getattr(one, c.name), tuple)}
        results[name] = replace(one, **(curves | nothing | lists))
    found = report(made(results), {}, [])
    assert found.pictures == {}
    assert "](report/" not in found.text
    assert "| Loudness | **—** |" in found.text
    assert "\n## Sections" not in found.text
    assert "| — | LUFS | `loudness.integrated_lufs` |" in found.text


def test_a_record_without_any_result_has_a_report() -> None:
    text = report(made({}), {}, []).text
    assert text.startswith("# One\n")
    assert "linernotes set abababab note=…" in text


# Pictures


def pictured() -> Report:
    results = everything()
    columns_, bands = 40, 31
    centres = 1000 * 10 ** (0.1 * np.arange(-17, 14))
    results["source"] = replace(results["source"], duration_s=120.0)
    results["loudness"] = replace(results["loudness"], short_term_lufs=-20 + np.sin(np.arange(118.0)))
    results["spectrum"] = replace(
        results["spectrum"], centres_hz=centres, third_octaves_db=np.linspace(-20, -90, bands)
    )
    results["spectrogram"] = replace(
        results["spectrogram"], centres_hz=centres, levels_db=np.linspace(-80, 0, columns_ * bands).reshape(-1, bands)
    )
    results["sections"] = replace(
        results["sections"],
        intervals_s=np.array([[0.0, 60.0], [60.0, 90.0], [90.0, 120.0]]),
        labels=(HOSTILE[:10], "silence", "B & C"),
        roles=("", "silence", "verse]]>"),
    )
    return report(made(results), {}, [])


def test_all_pictures_are_shown_and_stand_alone() -> None:
    found = pictured()
    assert set(found.pictures) == set(NAMES)
    assert set(re.findall(r"!\[[^\]]+\]\(report/([a-z.]+)\)", found.text)) == set(NAMES)
    assert "20 Hz is at the bottom, 20 kHz at the top" in found.text
    for name, content in found.pictures.items():
        if name.endswith(".svg"):
            text = content.decode()
            root = ElementTree.fromstring(text)
            kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
            assert kinds <= {"svg", "title", "style", "rect", "path", "text"}
            assert not {key for element in root.iter() for key in element.attrib if "href" in key or key[:2] == "on"}
            assert "prefers-color-scheme:dark" in text
            assert not re.findall(r"url\(|@import|//", text.replace("http://www.w3.org/2000/svg", ""))
    assert found.pictures["spectrogram.png"].startswith(b"\x89PNG")


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300, np.nan])
def test_numbers_that_no_axis_can_hold_are_gaps(value: float) -> None:
    results = everything()
    curve = np.array([-20.0, value, -18.0])
    results["loudness"] = replace(results["loudness"], short_term_lufs=curve)
    drawing = ElementTree.fromstring(report(made(results), {}, []).pictures["loudness.svg"])
    (line,) = [element for element in drawing.iter() if element.get("class") == "line"]
    assert line.attrib["d"].count("M") == 2


# Hostile text


def check_harmless(text: str) -> None:
    """Nothing in an escaped text is left that Markdown or GitHub would take for more than text."""
    assert "\n" not in text
    assert not text.startswith((" ", "-", "+", "=", "#"))
    bare = re.sub(r"<span>([@$.:/#])</span>", "\x01", text)
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "\x02", bare)
    assert not re.search(r"[\\`*_{}\[\]<>|~@$\x00]", bare), bare
    assert not re.search(r"www\.|//|(?<!\S)#|#\d|:[\w+-]+:|&#?\w+;|^\d+[.)](\s|$)", bare, re.IGNORECASE), bare
    assert text.isprintable() or not any(ord(c) < 32 or c in "\u202e\u2028" for c in text)


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_text_is_only_text(attack: str) -> None:
    for text in (attack, f"a {attack}", attack * 2, f"{attack}\\"):
        check_harmless(escaped(text))


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_label_stays_inside_its_code(attack: str) -> None:
    found = code(attack)
    if found.startswith("`"):
        assert re.fullmatch(r"`[\w ,./()+=…-]+`", found)
    else:
        inner = re.fullmatch("<code>(.*)</code>", found)
        assert inner
        check_harmless(inner[1])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Café del Mar (R&B mix), No. 5: C# minor – 1.5 dB", "Café del Mar (R&B mix), No. 5: C# minor – 1.5 dB"),
        ("1. Allegro", "1\\. Allegro"),
        ("a_b*c", "a\\_b\\*c"),
        ("you@home", "you<span>@</span>home"),
        ("two\nlines", "two lines"),
        ("", "—"),
    ],
)
def test_plain_text_stays_readable(text: str, shown: str) -> None:
    assert escaped(text) == shown


def skeleton(text: str) -> list[str]:
    """What kind each line is: headings and our own tags as they are, tables by their cells, anything else as text."""
    kinds = []
    for line in text.splitlines():
        if re.match(r"#{2,3} ", line) or line in ("", "---", "<details>", "</details>") or "<summary>" in line:
            kinds.append(line)
        else:
            cells = re.sub(r"\\.", "", line).count("|")
            kinds.append("title" if line.startswith("# ") else f"{cells} cells")
    return kinds


def worded(text: str) -> Report:
    """A report in which every word that comes from outside is `text`."""
    results = everything()
    for name, kind in result_types().items():
        words = {c.name: text for c in columns(kind) if c.base_type is str}
        lists = {c.name: (text, text) for c in columns(kind) if "str" in str(c.type) and "tuple" in str(c.type)}
        results[name] = replace(results[name], **words, **lists)
    results["source"] = replace(results["source"], partial=True)
    del results["levels"]
    said = dict.fromkeys(("title", "artist", "album", "genre", "collection", "note", "rating"), text)
    arrivals = [Arrival(text, f"{text}/{text}", 1, 1, 1)] * 2
    return report(made(results, text, failures={"levels": Failure("failed", text)}), said, arrivals)


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.strip()])
def test_hostile_words_change_nothing_but_words(attack: str) -> None:
    found = worded(attack).text
    assert skeleton(found) == skeleton(worded("word").text)
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", found)
    assert set(re.findall(r"</?[A-Za-z!?][^>]*>?", bare)) <= TAGS
    targets = set(re.findall(r"\]\(([^)]*)\)", bare))
    assert targets <= {f"report/{name}" for name in NAMES} | {"record.json"}
    for tag in ("span", "code", "details", "summary"):
        assert bare.count(f"<{tag}>") == bare.count(f"</{tag}>")


# Files


def test_a_report_is_written_once_and_again_when_something_changed(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav", **WHAT)
    before, source = track.signature, track.source
    assert write_report(track)
    files = [track.folder / REPORT_NAME, *sorted((track.folder / "report").iterdir())]
    assert {path.name for path in files} == {REPORT_NAME, "loudness.svg", "sections.svg"}
    times = [path.stat().st_mtime_ns for path in files]
    inodes = [path.stat().st_ino for path in files]
    assert not write_report(track)
    assert [path.stat().st_mtime_ns for path in files] == times
    say(track, note="new")
    assert write_report(track)
    assert [path.stat().st_ino for path in files[1:]] == inodes[1:]  # the pictures are as they were
    assert "| Note | new `your word` |" in files[0].read_text(encoding="utf-8")
    say(track)
    assert (track.signature, track.source) == (before, source)


def test_pictures_that_are_no_longer_there_are_removed(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav", **WHAT)
    write_report(track)
    (track.folder / "report" / "mine.txt").write_text("keep")
    (track.folder / "report" / ".loudness.svg.999999999.tmp").write_text("left by a crash")
    fail(track, "loudness", "broken")
    assert write_report(track)
    assert {path.name for path in (track.folder / "report").iterdir()} == {"sections.svg", "mine.txt"}
    (track.folder / "report" / "mine.txt").unlink()
    fail(track, "sections", "broken")
    assert write_report(track)
    assert not (track.folder / "report").exists()
    assert not write_report(track)


def test_a_sound_called_report_is_left_alone(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav", **WHAT)
    (track.folder / "report").write_bytes(b"sound")
    assert write_report(track)
    assert (track.folder / "report").read_bytes() == b"sound"
    assert "](report/" not in (track.folder / REPORT_NAME).read_text(encoding="utf-8")


def test_what_cannot_be_read_leaves_the_report_as_it_is(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    before = text_of_track(track)
    for name, content in ((library.PERSON_NAME, "[1]"), (record.RECORD_NAME, "{")):
        (track.folder / name).write_text(content)
        assert not write_report(track)
        assert (track.folder / REPORT_NAME).read_text(encoding="utf-8") == before


def test_a_record_made_by_hand_breaks_nothing(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    path = track.folder / record.RECORD_NAME
    path.write_text(re.sub(r'("duration_s":) [0-9.]+', r"\1 Infinity", path.read_text()))
    assert not write_report(track)


def test_the_same_record_gives_the_same_bytes(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav", **WHAT)
    found = record.read(track.folder, result_types())
    first, second = (report(found, {}, library.arrivals(track)) for _ in range(2))
    assert first == second
