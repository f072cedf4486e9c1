"""Stems on a track's page: which there are, what each is, and how it is heard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor import engine, library
from processor.analysis.stems import Stems
from processor.audio import decode
from processor.config import Limits, Settings, Site
from processor.library import Track
from processor.sidecars import Sidecars
from processor.site import media
from processor.site.charts import Timeline
from processor.site.charts.heard import stems_chart
from processor.site.stems import make_stem_previews, preview_name, signatures, stems_of
from processor.site.track import track_page
from processor.workspace import Workspace
from tests import workspaces
from tests.libraries import make_track
from tests.signals import RATE, sine

ON = Settings(site=Site(previews=True))
OFF = Settings(site=Site(previews=False))
NAMES = ("vocals", "drums", "bass", "other")


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encode in this process: that workers do the same has a test of its own."""
    monkeypatch.setattr(engine, "Engine", workspaces.InlineEngine)


def found_stems(**changes: Any) -> Stems:
    """Stems of 3 seconds; only the singing and the bass are really there."""
    made = Stems(
        model="fake",
        names=NAMES,
        present=(True, False, True, False),
        level_lufs=(-14.5, None, -11.25, -60.0),
        energy_share=(0.3, 0.0, 0.69, 0.01),
        active_share=(0.8, 0.0, 1.0, 0.02),
        sum_error_db=-31.0,
        clipped_stem_samples=0,
        sample_rate=RATE,
        hop_s=0.1,
        files=tuple(f"stems/{name}.flac" for name in NAMES),
        file_sha256=tuple(f"{number}" * 64 for number in range(4)),
        levels_db=np.stack([np.linspace(-30, -10, 30), np.full(30, -120.0), np.full(30, -12.0), np.full(30, -70.0)]),
    )
    return replace(made, **changes)


def with_stems(workspace: Workspace, name: str = "Song.wav", **changes: Any) -> Track:
    """A track with two stems that can be heard, and a note of all four."""
    track = make_track(workspace, name, results={"stems": found_stems(**changes)}, source__duration_s=3.0)
    for number, stem in enumerate(("vocals", "bass")):
        Sidecars(track.folder).write(f"stems/{stem}.flac", RATE, [sine(220.0 * (number + 1), 1.0, -6.0, channels=2)])
    return track


def make(workspace: Workspace, settings: Settings = ON, most: int | None = None) -> int:
    return make_stem_previews(workspace, library.tracks(workspace), settings, None, most)


def names(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in (workspace.site / media.FOLDER).iterdir())


def test_a_stem_that_is_there_gets_a_preview_that_sounds_as_it(workspace: Workspace) -> None:
    track = with_stems(workspace)
    assert make(workspace) == 2
    assert names(workspace) == sorted(preview_name(track, n, d * 64) for n, d in (("vocals", "0"), ("bass", "2")))
    heard = decode(workspace.site / "media" / preview_name(track, "bass", "2" * 64), limits=Limits())
    spectrum = np.abs(np.fft.rfft(heard.samples[0][:RATE]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=2)
    assert make(workspace) == 0


def test_stems_of_another_model_replace_them(workspace: Workspace) -> None:
    track = with_stems(workspace)
    make(workspace)
    again = replace(found_stems(), file_sha256=tuple(digit * 64 for digit in "abcd"))
    from processor import record
    from processor.analysis import result_types

    found = record.read(track.folder, result_types())
    record.write(replace(found, results={**found.results, "stems": again}), track.folder)
    assert make(workspace) == 4  # two removed, two made
    assert names(workspace) == sorted(preview_name(track, n, d * 64) for n, d in (("vocals", "a"), ("bass", "c")))


def test_nothing_of_a_track_is_taken_for_a_stem_nor_the_other_way(workspace: Workspace) -> None:
    track = with_stems(workspace)
    folder = workspace.site / media.FOLDER
    folder.mkdir(parents=True)
    for name in (f"{track.id}.mp3", "mine.mp3", "mine.vocals.mp3"):
        (folder / name).write_bytes(b"x")
    make(workspace)
    media.make_pictures(workspace, library.tracks(workspace))
    assert {f"{track.id}.mp3", "mine.mp3", "mine.vocals.mp3", preview_name(track, "vocals", "0" * 64)} <= set(
        names(workspace)
    )


def test_without_previews_all_are_removed(workspace: Workspace) -> None:
    with_stems(workspace)
    make(workspace)
    assert make(workspace, OFF) == 2
    assert names(workspace) == []


def test_of_a_track_that_is_gone_they_are_removed(workspace: Workspace) -> None:
    track = with_stems(workspace)
    make(workspace)
    assert make_stem_previews(workspace, [], ON) == 2
    assert not list((workspace.site / media.FOLDER).glob(f"{track.id}*"))


def test_so_many_at_a_time(workspace: Workspace) -> None:
    with_stems(workspace)
    assert [make(workspace, most=1) for _ in range(3)] == [1, 1, 0]


def test_a_damaged_stem_stops_nobody(workspace: Workspace) -> None:
    track = with_stems(workspace)
    (track.folder / "stems/bass.flac").write_bytes(b"fLaC torn")
    assert make(workspace) == 1
    assert names(workspace) == [preview_name(track, "vocals", "0" * 64)]


def test_hostile_names_in_a_record_lead_nowhere(workspace: Workspace) -> None:
    with_stems(workspace, names=("../../vocals", "drums", "bass", "other"))
    assert make(workspace) == 1


@pytest.mark.parametrize(
    "name", ["../../song.flac", "/etc/song.flac", "//etc/song.flac", "song.flac", "stems/song.wav"]
)
def test_a_record_cannot_have_other_sounds_published(workspace: Workspace, tmp_path: Path, name: str) -> None:
    track = with_stems(workspace, files=(name, "stems/drums.flac", "stems/none.flac", "stems/other.flac"))
    for place in (track.folder / "song.flac", track.folder.parents[1] / "song.flac", track.folder / "stems/song.wav"):
        place.write_bytes((track.folder / "stems/vocals.flac").read_bytes())
    assert make(workspace) == 0


def test_the_page_lists_what_is_there_first_with_its_sound(workspace: Workspace) -> None:
    track = with_stems(workspace)
    make(workspace)
    listed = stems_of(track, {"stems": found_stems()}, workspace.site)
    assert [(stem.name, stem.is_there, stem.href is not None) for stem in listed] == [
        ("bass", True, True),
        ("vocals", True, True),
        ("other", False, False),
        ("drums", False, False),
    ]
    page = track_page(track, workspace.site)
    assert f'src="../media/{preview_name(track, "vocals", "0" * 64)}"' in page
    assert page.index("<strong>Bass</strong>") < page.index("<strong>Vocals</strong>") < page.index("hardly there")
    assert "−14.5" in page


def test_a_page_is_stale_when_a_preview_comes(workspace: Workspace) -> None:
    track = with_stems(workspace)
    assert signatures(workspace.site) == {}
    make(workspace)
    assert signatures(workspace.site) == {track.id: "bass-22222222 vocals-00000000"}


def test_the_chart_draws_what_is_there() -> None:
    chart = stems_chart({"stems": found_stems()}, Timeline(3.0))
    assert chart is not None
    assert [key.text for key in chart.legend] == ["Vocals", "Bass"]
    assert "Vocals −30.0 to −10.0 dBFS" in chart.summary


def test_without_stems_there_is_no_chart(tmp_path: Path) -> None:
    assert stems_chart({}, Timeline(3.0)) is None
    assert stems_chart({"stems": found_stems(levels_db=np.zeros(0))}, Timeline(3.0)) is None
    assert stems_of(Track(tmp_path / "x-12345678"), {}, None) == []
