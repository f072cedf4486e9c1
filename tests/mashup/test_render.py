"""A plan becomes its sound: layers add up, beats meet, nothing clicks, and the same plan gives the same samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from processor.config import Limits
from processor.errors import LinerNotesError
from processor.feedback.equaliser import Band
from processor.mashup import layers, sides
from processor.mashup import render as rendering
from processor.mashup.plan import Cut, Duck, Plan, PlanError, Segment, Source
from processor.mashup.render import Rendered, render, summed
from processor.mashup.songs import Song
from tests.mashup.landed import grid, plan
from tests.signals import Samples, noise, silence, sine, spread, write_wav

RATE = 22_050
BPM, SUNG_BPM = 120.0, 112.0


def on_beats(bpm: float, seconds: float, rate: int = RATE, hz: float = 900.0) -> Samples:
    """A short tone on each beat, from the first sample on."""
    found = silence(seconds, rate=rate, channels=2)
    tone = sine(hz, 0.05, -9, rate=rate)[0] * np.hanning(round(0.05 * rate)).astype(np.float32)
    for beat in range(int(seconds * bpm / 60) - 1):
        at = round(beat * 60 / bpm * rate)
        found[:, at : at + tone.size] += tone
    return found


def song(folder: Path, layers: dict[str, Samples], rate: int = RATE) -> Song:
    folder.mkdir(exist_ok=True)
    files = {name: write_wav(folder / f"{name}.wav", samples, rate) for name, samples in layers.items()}
    return Song(folder.name, folder.name.title(), "0" * 64, {}, files)


def part(first: int, at: int, beats: int = 8, **changes: object) -> Segment:
    start_s, end_s = (beat * 60 / SUNG_BPM - 0.1 for beat in (first, first + beats))
    made = Segment(f"part {at}", max(0.0, start_s), end_s, first, at, 0.0, 0.0, 0.01, 0.01, 0.5, "")
    return replace(made, **changes)  # type: ignore[arg-type]


def made(**changes: object) -> Plan:
    """Eight bars, with two bars of vocals twice."""
    fields: dict[str, object] = {
        "vocals": Source("v", "V", "0" * 64, ("vocals",), None, grid(SUNG_BPM, 0.0, 40)),
        "instrumental": Source("i", "I", "1" * 64, ("drums", "other"), None, grid(BPM, 0.0, 40)),
        "tempo_bpm": BPM,
        "cuts": (Cut(0, 32),),
        "segments": (part(4, 4), part(16, 20)),
        **changes,
    }
    return plan(**fields)


@pytest.fixture(scope="module", autouse=True)
def _half_rate() -> Iterator[None]:
    """Half the rate takes half the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "LOWEST_RATE_HZ", 8000)
        yield


def test_a_poor_instrumental_costs_the_vocals_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "LOWEST_RATE_HZ", 44_100)
    rates = (8000, 22_050, 44_100, 48_000, 96_000)
    assert [rendering.working_rate_hz(rate) for rate in rates] == [44_100, 44_100, 44_100, 48_000, 48_000]


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Song, Song]:
    home = tmp_path_factory.mktemp("songs")
    other = 0.3 * sine(330, 20, -12, rate=RATE, channels=2) + noise(20, -50, rate=RATE, channels=2)
    return (
        song(home / "voice", {"vocals": on_beats(SUNG_BPM, 20)}),
        song(home / "band", {"drums": on_beats(BPM, 20, hz=2000.0), "other": other}),
    )


@pytest.fixture(scope="module")
def mix(songs: tuple[Song, Song]) -> Rendered:
    return render(made(), songs)


def peaks_s(samples: Samples, rate: int = RATE) -> np.ndarray:
    """When tones are at their loudest."""
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import find_peaks

    level = uniform_filter1d(np.square(samples[0], dtype=np.float64), round(0.02 * rate))
    found, _ = find_peaks(level, height=0.2 * level.max(), distance=round(0.2 * rate))
    return np.asarray(found / rate)


def test_beats_of_both_sides_meet(mix: Rendered) -> None:
    drums, vocals = peaks_s(mix.backing["drums"]), peaks_s(mix.vocals)
    assert vocals.size == 16
    nearest = np.abs(vocals[:, None] - drums[None]).min(axis=1)
    assert nearest.max() < 0.003


def test_segments_lie_where_the_plan_has_them(mix: Rendered) -> None:
    starts = [start_s for start_s, _ in mix.segments_s]
    assert starts == pytest.approx([4 * 0.5 - 0.1 * SUNG_BPM / BPM, 20 * 0.5 - 0.1 * SUNG_BPM / BPM])
    sung = np.zeros(mix.vocals.shape[1], bool)
    for start_s, end_s in mix.segments_s:
        sung[int(start_s * RATE) : int(end_s * RATE) + 1] = True
        assert {round(edge_s * RATE) for edge_s in (start_s, end_s)} <= {round(join * RATE) for join in mix.joins_s}
    assert not mix.vocals[:, ~sung].any()


def test_what_others_sing_behind_the_lead_is_sung_with_it(
    songs: tuple[Song, Song], mix: Rendered, tmp_path: Path
) -> None:
    """Lead and backing vocals that add up to a voice sound as that voice does, even where one ends before the other."""
    whole = on_beats(SUNG_BPM, 20)
    halves = {"vocals": 0.7 * whole, "backing_vocals": 0.3 * whole[:, : 15 * RATE]}
    vocals = replace(made().vocals, layers=("vocals", "backing_vocals"))
    both = render(made(vocals=vocals), (song(tmp_path / "both", halves), songs[1]))
    assert np.abs(both.vocals - mix.vocals).max() < 1e-3
    with pytest.raises(LinerNotesError, match='Voice has no layer "backing_vocals"'):
        render(made(vocals=vocals), songs)


def test_layers_add_up_to_the_mix_before_its_gain(songs: tuple[Song, Song]) -> None:
    loud = render(made(target_lufs=-30.0, duck=Duck(6.0, 200.0, 6000.0, 0.02, 0.2)), songs)
    assert loud.limiter_db == 0
    layers = summed((loud.vocals, *loud.backing.values())) * np.float32(10 ** (loud.master_gain_db / 20))
    assert np.abs(layers - loud.samples).max() < 1e-6
    assert np.array_equal(loud.instrumental, loud.backing["drums"] + loud.backing["other"])


def test_loudness_and_peak_are_the_plans(mix: Rendered) -> None:
    assert mix.samples.dtype == np.float32
    assert np.isfinite(mix.samples).all()
    assert mix.samples.shape == (2, round(16 * RATE))
    assert mix.true_peak_dbtp is not None
    assert mix.true_peak_dbtp <= -1.0 + 1e-6
    assert mix.lufs is not None
    assert mix.lufs <= -14.0 + 0.2


def test_the_same_plan_gives_the_same_samples(mix: Rendered, songs: tuple[Song, Song]) -> None:
    again = render(made(), songs)
    assert np.array_equal(again.samples, mix.samples)
    assert np.array_equal(again.vocals, mix.vocals)
    assert again.joins_s == mix.joins_s


def test_an_instrumental_at_its_own_pace_is_copied(mix: Rendered, songs: tuple[Song, Song]) -> None:
    drums = on_beats(BPM, 20, hz=2000.0)
    end = round(16 * RATE)
    assert np.array_equal(mix.backing["drums"][:, : end - RATE], drums[:, : end - RATE])


def test_only_what_has_a_pitch_is_shifted(songs: tuple[Song, Song]) -> None:
    shifted = render(made(instrumental_shift_semitones=2.0), songs)
    assert np.array_equal(shifted.backing["drums"][:, :RATE], on_beats(BPM, 20, hz=2000.0)[:, :RATE])
    spectrum = np.abs(np.fft.rfft(shifted.backing["other"][0, 4 * RATE : 12 * RATE] * np.hanning(8 * RATE)))
    assert int(spectrum.argmax()) / 8 == pytest.approx(330 * 2 ** (2 / 12), rel=0.0006)
    assert shifted.notes == ()


def test_one_layer_is_shifted_whole_and_that_is_said(songs: tuple[Song, Song], tmp_path: Path) -> None:
    band = song(tmp_path / "band", {"instrumental": on_beats(BPM, 20)})
    source = replace(made().instrumental, layers=("instrumental",))
    found = render(made(instrumental=source, instrumental_shift_semitones=-1.0), (songs[0], band))
    assert "All of the instrumental is shifted by -1 semitones" in found.notes[0]


def test_another_pace_moves_all_beats(songs: tuple[Song, Song]) -> None:
    found = render(made(tempo_bpm=126.0), songs)
    drums, vocals = peaks_s(found.backing["drums"]), peaks_s(found.vocals)
    assert np.diff(drums) == pytest.approx(60 / 126, abs=0.003)
    assert np.abs(vocals[:, None] - drums[None]).min(axis=1).max() < 0.004
    assert found.samples.shape[1] == round(32 * 60 / 126 * RATE)


def test_cuts_are_joined_before_the_downbeat(songs: tuple[Song, Song]) -> None:
    found = render(made(cuts=(Cut(0, 8), Cut(8, 16), Cut(4, 12), Cut(24, 32))), songs)
    drums = peaks_s(found.backing["drums"])
    assert np.diff(drums) == pytest.approx(0.5, abs=0.002)
    backing = [
        join for join in found.joins_s if min(abs(join - edge) for span in found.segments_s for edge in span) > 1e-3
    ]
    assert len(backing) in (2, 3, 4)  # the second cut goes on where the first one ends; layers may join apart
    assert all(min(abs(join - at) for at in (8.0, 12.0)) < 0.1 for join in backing)


def test_no_join_clicks(songs: tuple[Song, Song]) -> None:
    found = render(made(cuts=(Cut(0, 8), Cut(3, 11), Cut(20, 36))), songs)
    other = found.backing["other"][0].astype(np.float64)
    steps = np.abs(np.diff(other, 2))
    usual = np.percentile(steps, 99.9)
    for join in found.joins_s:
        at = round(join * RATE)
        assert steps[max(0, at - 500) : at + 500].max(initial=0.0) < 3 * usual


def test_gains_and_bands_are_applied(songs: tuple[Song, Song]) -> None:
    segments = (part(4, 4), part(16, 20, gain_db=-12.0))
    plain, turned = render(made(), songs), render(made(segments=segments, instrumental_gain_db=-6.0), songs)
    first, second = (slice(int(start_s * RATE), int(end_s * RATE)) for start_s, end_s in plain.segments_s)
    assert np.abs(turned.vocals[:, first]).max() == pytest.approx(np.abs(plain.vocals[:, first]).max(), rel=1e-3)
    assert np.abs(turned.vocals[:, second]).max() == pytest.approx(
        np.abs(plain.vocals[:, second]).max() * 10 ** (-12 / 20), rel=1e-3
    )
    assert turned.backing["drums"] == pytest.approx(plain.backing["drums"] * 10 ** (-6 / 20), abs=1e-6)
    bands = (Band("bell", 330.0, -12.0, 1.0), Band("bell", 15_000.0, 6.0, 1.0))
    cut = render(made(instrumental_bands=bands), songs)
    ratio = np.std(cut.backing["other"][:, RATE:-RATE]) / np.std(plain.backing["other"][:, RATE:-RATE])
    assert 20 * np.log10(ratio) == pytest.approx(-12, abs=0.5)


def test_the_backing_gives_way(songs: tuple[Song, Song], tmp_path: Path) -> None:
    voice = song(tmp_path / "voice", {"vocals": 0.3 * noise(20, -12, rate=RATE, channels=2)})
    pair = (
        voice,
        song(tmp_path / "band", {"drums": silence(20, rate=RATE), "other": noise(20, -20, rate=RATE, channels=2)}),
    )
    plain, ducked = render(made(), pair), render(made(duck=Duck(6.0, 300.0, 5000.0, 0.02, 0.2)), pair)
    inside, outside = slice(3 * RATE, 5 * RATE), slice(0, RATE)
    assert np.std(ducked.backing["other"][:, inside]) < 0.9 * np.std(plain.backing["other"][:, inside])
    assert np.array_equal(ducked.backing["other"][:, outside], plain.backing["other"][:, outside])


def test_keys_that_move_without_a_rest_glide() -> None:
    segments = (part(4, 4), part(12, 12, extra_semitones=1.0), part(24, 24, extra_semitones=-1.0))
    first, second, third = sides.segment_ways(made(segments=segments))
    assert first.semitones == (0.0,)
    assert (second.semitones, second.is_gliding) == ((0.0, 1.0), True)
    assert second.pitch_at_s[0] == segments[1].start_s
    assert third.semitones == (-1.0,)  # after a rest


def test_phrases_are_four_bars_within_reason() -> None:
    assert sides.phrase_s(made()) == pytest.approx(8.0)
    slow = replace(made().instrumental.grid, metre=16)
    assert sides.phrase_s(made(instrumental=replace(made().instrumental, grid=slow))) == 16.0


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (96_000, 2), (44_100, 6)])
def test_vocals_of_any_kind(songs: tuple[Song, Song], tmp_path: Path, rate: int, channels: int) -> None:
    row = on_beats(SUNG_BPM, 20, rate)[0]
    voice = song(tmp_path / "voice", {"vocals": spread(row, channels)}, rate)
    found = render(made(), (voice, songs[1]))
    assert found.sample_rate == RATE
    assert np.isfinite(found.samples).all()
    drums, vocals = peaks_s(found.backing["drums"]), peaks_s(found.vocals)
    assert np.abs(vocals[:, None] - drums[None]).min(axis=1).max() < 0.004


def test_a_high_rate_is_brought_down(songs: tuple[Song, Song], tmp_path: Path) -> None:
    band = song(tmp_path / "band", {"drums": on_beats(BPM, 20, 96_000), "other": silence(20, rate=96_000)}, 96_000)
    assert render(made(cuts=(Cut(0, 8),), segments=(part(4, 2, 4),)), (songs[0], band)).sample_rate == 48_000


def test_silence_stays_silence(tmp_path: Path) -> None:
    quiet = silence(20, rate=RATE, channels=2)
    pair = song(tmp_path / "v", {"vocals": quiet}), song(tmp_path / "i", {"drums": quiet, "other": quiet})
    found = render(made(tempo_bpm=126.0, gate_below_lufs=-50.0, duck=Duck(6.0, 300.0, 5000.0, 0.02, 0.2)), pair)
    assert not found.samples.any()
    assert (found.lufs, found.true_peak_dbtp, found.limiter_db) == (None, None, 0.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"segments": (part(30, 4, 20),)}, "segment 1"),  # beyond the file
        ({"segments": (replace(part(4, 4), end_s=part(4, 4).start_s),)}, "after start_s"),
        ({"segments": (part(4, 10_000),)}, "beat = 10000"),
        ({"cuts": (Cut(0, 10_000),)}, "cut 1"),
        ({"tempo_bpm": 1e99}, "tempo_bpm"),
        ({"vocal_shift_semitones": float("nan")}, "vocal_shift_semitones"),
        ({"segments": (part(4, 4),) * 1_000_000}, "segments"),
    ],
)
def test_plans_that_cannot_be_rendered(songs: tuple[Song, Song], changes: dict[str, object], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        render(made(**changes), songs)


def test_a_layer_that_is_not_there(songs: tuple[Song, Song]) -> None:
    with pytest.raises(LinerNotesError, match='Band has no layer "bass"; there are: drums, other'):
        render(made(instrumental=replace(made().instrumental, layers=("drums", "bass"))), songs)
    with pytest.raises(PlanError, match='stretcher = "magic"'):
        render(made(stretcher="magic"), songs)
    with pytest.raises(LinerNotesError):
        render(made(), songs, limits=Limits(file_bytes=1000))


def test_what_is_no_song_is_not_held_in_memory(
    songs: tuple[Song, Song], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "LONGEST_S", 30.0)
    long = song(tmp_path / "long", {"vocals": silence(31, rate=RATE), "drums": silence(31, rate=RATE)})
    with pytest.raises(layers.UnfitLayers, match=r"vocals\.wav is"):
        render(made(), (long, songs[1]))
    with pytest.raises(layers.UnfitLayers, match=r"drums\.wav is"):
        render(made(instrumental=replace(made().instrumental, layers=("drums",))), (songs[0], long))


def test_progress_rises_to_the_end_of_placing(songs: tuple[Song, Song]) -> None:
    told: list[float] = []
    render(made(), songs, told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_person_who_stops_it_waits_for_no_more_than_a_phrase(
    songs: tuple[Song, Song], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    slow = rendering.stretcher("pedalboard")

    def counted(*words: object) -> Samples:
        begun.append(1)
        return slow(*words)  # type: ignore[arg-type]

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rendering, "stretcher", lambda name: counted)
    monkeypatch.setattr(rendering, "POLL_S", 0.001)
    with pytest.raises(KeyboardInterrupt):
        render(made(tempo_bpm=126.0, segments=tuple(part(4, at, 4) for at in range(4, 28, 4))), songs, stop)
    assert len(begun) <= 3
