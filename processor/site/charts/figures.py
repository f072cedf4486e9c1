"""Which charts a track has: each reads its analysers' results and nothing else. None where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np
from markupsafe import Markup

from processor.site.charts.bands import SIX, Panel, Spectrum, band_panel, share_bar, spectrum_chart
from processor.site.charts.blocks import Block, section_map, span_text, strip
from processor.site.charts.curves import Axis, Curve, Level, Marks, curves_chart, mark_spans
from processor.site.charts.frame import (
    BOTTOM,
    Chart,
    Timeline,
    clock,
    curve,
    drawing,
    level_axis,
    moments,
    plain_text,
    reduced,
    round_scale,
    spans,
    time_axis,
)
from processor.site.charts.heard import arrangement_chart, stems_chart, voice_chart
from processor.site.charts.music import Candidate, Section, chord_name, relation, root_style
from processor.site.charts.pictures import chroma_chart, spectrogram_chart

# Short-term values and those by second are of the 3 seconds that begin at a second, so they stand at the middle.
MIDDLE_S = 1.5
HALF_S = 0.5
MOST_TICKS = {"beat": 370, "downbeat": 250}  # more of them are a grey bar
TICKS = (("beat", "Small ticks are beats"), ("downbeat", "Tall ticks are downbeats"))
TEMPO_HEIGHT = 190
STREAMING_LUFS = -14.0  # what Spotify, YouTube and others turn tracks to
SAFE_DBTP = -1.0  # what services ask for: lossy coders overshoot
LOUD_SHARE = 100.0
SMALL = 150
PRODUCTION = ("warmth", "density", "width", "decay_s", "saturation_db")


@dataclass(frozen=True)
class Figures:
    """The charts of one track; templates ask for those that they show.

    Attributes:
        results: analyser → its result.
        spectrogram_href: picture of the spectrogram, relative to the page, or None.
        chroma_href: picture of the twelve notes over time, or None.
    """

    results: Mapping[str, Any]
    spectrogram_href: str | None = None
    chroma_href: str | None = None

    @cached_property
    def timeline(self) -> Timeline:
        """What all charts over time have in common."""
        source = self.results.get("source")
        duration = float(source.duration_s) if source is not None else 0.0
        cuts = tuple(round(start, 2) for start, _ in self._spans("sections", duration)[1:])
        return Timeline(max(duration, 1e-3), cuts if len(cuts) <= 60 else ())

    def _spans(self, analyser: str, duration: float, field: str = "intervals_s") -> list[tuple[float, float]]:
        result = self.results.get(analyser)
        return [] if result is None else spans(getattr(result, field), duration)

    def clipped(self) -> list[tuple[float, float]]:
        """Where clipping happens."""
        return self._spans("levels", self.timeline.duration_s, "clipped_intervals_s")

    def out_of_phase(self) -> list[tuple[float, float]]:
        """Where the channels cancel."""
        return self._spans("stereo", self.timeline.duration_s, "negative_intervals_s")

    def loudness(self) -> Chart | None:
        """Short-term and momentary loudness, the integrated loudness across; clipping and high true peaks marked."""
        found = self.results["loudness"]
        levels = []
        if found.integrated_lufs is not None:
            text = f"Integrated {plain_text(found.integrated_lufs)} LUFS"
            levels = [Level(found.integrated_lufs, text, must_show=True)]
        levels.append(Level(STREAMING_LUFS, "−14 LUFS, which most streaming services aim at", "target"))
        high = np.flatnonzero(curve(found.true_peaks_dbtp) > SAFE_DBTP)
        over = [(float(second), min(float(second) + 1, self.timeline.duration_s)) for second in high]
        marks = [
            Marks("Clipped", self.clipped()),
            Marks(f"True peak over {plain_text(SAFE_DBTP, 0)} dBTP", over, "over"),
        ]
        lines = [
            Curve("Short-term, 3 s", curve(found.short_term_lufs), MIDDLE_S),
            Curve("Momentary, 0.4 s, highest a second", curve(found.momentary_lufs), HALF_S, style="faint"),
        ]
        return curves_chart(
            "Loudness over time", lines, Axis("LUFS", levels=levels, marks=marks, least_span=6.0), self.timeline
        )

    def clipping(self) -> Chart | None:
        """Where samples are cut off, as a strip."""
        found = self.clipped()
        if not found:
            return None
        height = 62
        parts = [time_axis(self.timeline, height), mark_spans(found, self.timeline, "bad", (12, 24))]
        text = f"{len(found)} clipped passage{'' if len(found) == 1 else 's'}, the first at {clock(found[0][0])}."
        return Chart("Clipped passages", text, drawing(parts), duration_s=self.timeline.duration_s, height=height)

    def spectrum(self) -> Chart | None:
        """Third-octaves before the corridor of hit recordings."""
        found = self.results["spectrum"]
        return spectrum_chart(
            Spectrum(
                curve(found.centres_hz),
                curve(found.third_octaves_db),
                found.tilt_db_per_octave,
                found.lossy_cutoff_hz if found.looks_lossy else None,
            )
        )

    def spectrogram(self) -> Chart | None:
        """Which frequencies sound when; None in silence and without a picture of it."""
        found = self.results.get("spectrogram")
        if self.spectrogram_href is None or found is None or found.loudest_band_dbfs is None:
            return None
        return spectrogram_chart(self.spectrogram_href, curve(found.centres_hz), self.timeline)

    def chroma(self) -> Chart | None:
        """Which notes sound when; None in silence and without a picture of it."""
        found = self.results.get("spectrogram")
        if self.chroma_href is None or found is None or found.loudest_band_dbfs is None:
            return None
        return chroma_chart(self.chroma_href, self.timeline)

    def six_bands(self) -> tuple[Markup | None, list[tuple[str, float | None]]]:
        """The bar of the six bands, and each band's share."""
        found = self.results.get("spectrum")
        shares = [None if found is None else getattr(found, f"{name}_share") for name in SIX]
        return share_bar(shares), list(zip((f"spectrum.{name}_share" for name in SIX), shares, strict=True))

    def stereo_panels(self) -> list[Chart]:
        """Width, correlation and mono-sum loss by band, side by side."""
        found = self.results["stereo"]
        sides = list(found.side_shares)
        panels = [
            band_panel(
                Panel("Stereo field", "%", -100.0, 100.0, digits=0, mirrored=True, note="Share of the sides by band."),
                sides if len(sides) == len(SIX) else [],
            ),
            band_panel(
                Panel("Correlation", "", -1.0, 1.0, digits=2, note="1 is mono; below 0 cancels.", bad_below=0.0),
                [getattr(found, f"{name}_correlation") for name in SIX],
            ),
            band_panel(
                Panel("Loss in mono", "dB", 0.0, 6.0, note="0 is safe, more than 3 a fault.", bad_above=3.0),
                [getattr(found, f"{name}_mono_loss_db") for name in SIX],
            ),
        ]
        return [panel for panel in panels if panel is not None]

    def correlation(self) -> Chart | None:
        """Correlation over time between −1 and 1, with passages out of phase marked."""
        line = Curve("Correlation", curve(self.results["stereo"].correlations), MIDDLE_S, keep="lowest")
        axis = Axis(
            "",
            low=-1.0,
            high=1.0,
            height=SMALL + 20,
            digits=2,
            note="1 is mono, 0 two unrelated channels; below 0 they cancel in mono.",
            levels=[Level(0.0, "", "zero")],
            marks=[Marks("Out of phase", self.out_of_phase())],
        )
        return curves_chart("Correlation over time", [line], axis, self.timeline)

    def tempo(self) -> Chart | None:
        """Tempo at each beat, with beats and downbeats as ticks below."""
        found = self.results["beats"]
        beats = np.asarray(found.beats_s, dtype=np.float64).ravel()
        values = curve(found.tempo_curve_bpm)
        if values.size != beats.size or not np.isfinite(beats).all():
            return None
        line = Curve("At each beat", values, keep="mean", times_s=beats)
        levels = []
        if found.tempo_bpm is not None:
            levels = [Level(found.tempo_bpm, f"Tempo {plain_text(found.tempo_bpm, 2)} BPM", must_show=True)]
        span = 0.04 * (found.tempo_bpm or 100.0)  # or a machine's last hundredth would look like a mountain
        ticks = self._beat_ticks(TEMPO_HEIGHT - BOTTOM)
        note = " ".join(f"{text}." for name, text in TICKS if f'class="{name}"' in ticks)
        axis = Axis("BPM", least_span=span, levels=levels, note=note, height=TEMPO_HEIGHT)
        made = curves_chart("Tempo over time", [line], axis, self.timeline)
        if made is None:
            return None
        return replace(made, drawing=made.drawing + ticks)

    def candidates(self) -> list[Candidate]:
        """Tempi at which the beat could be felt, most probable first."""
        found = self.results["beats"]
        pairs = [(tempo, weight) for tempo, weight in zip(found.candidates, found.candidate_weights, strict=False)]
        if not pairs or any(tempo <= 0 for tempo, _ in pairs):
            return []
        first = pairs[0][0]
        return [Candidate(tempo, min(max(weight, 0.0), 1.0), relation(tempo / first)) for tempo, weight in pairs]

    def _beat_ticks(self, bottom: float) -> Markup:
        found, end = self.results["beats"], self.timeline.duration_s
        parts = []
        for style, times, rise in (("beat", found.beats_s, 5), ("downbeat", found.downbeats_s, 11)):
            marks = moments(times, end)
            if 0 < marks.size <= MOST_TICKS[style]:
                ticks = "".join([f"M%.1f {bottom}v-{rise}" % x for x in self.timeline.x(marks).tolist()])
                parts.append(f'<path class="{style}" d="{ticks}"/>')
        return drawing(parts)

    def keys(self) -> Chart | None:
        """The key of each passage."""
        found = self.results["key"]
        times = self._spans("key", self.timeline.duration_s)
        blocks = [
            Block(start, end, name or "", f"{name or 'no key'}, {span_text(start, end)}", root_style(name))
            for (start, end), name in zip(times, found.names, strict=False)
        ]
        told = "; ".join(block.hint for block in blocks[:12]) + ("; …" if len(blocks) > 12 else "")
        return strip("Key by passage", f"Key by passage: {told}.", blocks, self.timeline)

    def mixes_with(self) -> list[str]:
        """Camelot numbers beside the key's own: one up, one down, and the other mode."""
        camelot = self.results["key"].camelot or ""
        number, letter = camelot[:-1], camelot[-1:]
        if not number.isdigit() or letter not in ("A", "B"):
            return []
        up, down = int(number) % 12 + 1, (int(number) - 2) % 12 + 1
        return [f"{down}{letter}", f"{up}{letter}", f"{number}{'B' if letter == 'A' else 'A'}"]

    def chords(self) -> Chart | None:
        """A block a chord, coloured by its root."""
        blocks = [
            Block(start, end, name, f"{name}, {clock(start)}", root_style(label))
            for start, end, name, label in self.chord_list()
        ]
        used = sorted({block.text for block in blocks})
        told = ", ".join(used[:16]) + (" …" if len(used) > 16 else "")
        text = f"{len(blocks)} chords, of {len(used)} kinds: {told}."
        return strip("Chords over time", text, blocks, self.timeline)

    def chord_list(self) -> list[tuple[float, float, str, str]]:
        """Start, end, name as musicians write it, and label of each chord."""
        found = self.results["chords"]
        times = self._spans("chords", self.timeline.duration_s)
        return [(*span, chord_name(label), label) for span, label in zip(times, found.labels, strict=False)]

    def section_list(self) -> list[Section]:
        """The sections with all that is known of each."""
        found = self.results.get("sections")
        if found is None:
            return []
        times = self._spans("sections", self.timeline.duration_s)
        parts = zip_longest(times, found.labels, found.roles, found.role_confidences)
        # As in the player: by first appearance, so that the letters have the same colours there.
        styles = {name: f"s{number % 8}" for number, name in enumerate(dict.fromkeys(found.labels))}
        listed = []
        for number, (span, label, role, sure) in enumerate(parts, 1):
            if span is None:
                break
            name = label if label and label != "silence" else ""
            style = styles[name] if name else "none"
            listed.append(Section(number, span[0], span[1], name, role or "", sure or 0.0, style))
        return listed

    def sections(self) -> Chart | None:
        """The map of the form; None where it is all one section."""
        listed = self.section_list()
        if len(listed) < 2:
            return None
        blocks = [
            Block(
                one.start_s,
                one.end_s,
                one.text,
                f"{one.text or 'silence'}, {span_text(one.start_s, one.end_s)}",
                one.style,
                one.number if one.number <= 9 else None,
                one.label,
                one.label,
            )
            for one in listed
        ]
        told = " ".join(one.label or "–" for one in listed)
        text = f"{len(listed)} sections over {clock(self.timeline.duration_s)}: {told}."
        return section_map("Form", text, blocks, self.timeline)

    def novelty(self) -> Chart | None:
        """How much changes at each bar."""
        found = self.results["sections"]
        times, values = moments(found.novelty_s, self.timeline.duration_s), curve(found.novelty)
        if times.size != values.size:
            return None
        line = Curve("Novelty", values, times_s=times)
        axis = Axis("", low=0.0, height=SMALL, digits=2, note="High where a new part begins.")
        return curves_chart("Novelty over time", [line], axis, self.timeline)

    def onsets(self) -> Chart | None:
        """Attacks a second, as bars."""
        times = moments(self.results["transients"].onsets_s, self.timeline.duration_s)
        if times.size < 2:
            return None
        counts = np.bincount(times.astype(np.int64), minlength=int(np.ceil(self.timeline.duration_s))).astype(float)
        values, factor = reduced(counts, "mean")
        scale = round_scale(0.0, max(float(values.max()), 1.0), SMALL)
        width = float(self.timeline.x(factor) - self.timeline.x(0))
        xs = self.timeline.x(np.minimum((np.arange(values.size) + 0.5) * factor, self.timeline.duration_s)).tolist()
        tops = zip(xs, scale.y(values).tolist(), values.tolist(), strict=True)
        bars = "".join([f"M{x:.1f} {scale.bottom:g}V{y:.1f}" for x, y, value in tops if value > 0])
        drawn = f'<path class="onsets" stroke-width="{max(width - 0.6, 0.6):.1f}" d="{bars}"/>'
        parts = [level_axis(scale), time_axis(self.timeline, SMALL), drawn]
        text = f"Onsets a second over {clock(self.timeline.duration_s)}: up to {plain_text(float(values.max()))}."
        note = "" if factor == 1 else f"Each bar is the mean of {factor} seconds."
        return Chart("Onsets a second", text, drawing(parts), note, duration_s=self.timeline.duration_s, height=SMALL)

    def crest(self) -> Chart | None:
        """Crest factor by band."""
        found = self.results["transients"]
        values = [getattr(found, f"{name}_crest_db") for name in SIX]
        note = "Small is dense or limited, large is percussive."
        return band_panel(Panel("Crest factor", "dB", 0.0, 40.0, note=note), values)

    def character(self) -> Chart | None:
        """Warmth, density and width over time, all in percent."""
        found = self.results["production"]
        names = (("Warmth", "warmth_by_second"), ("Density", "density_by_second"), ("Width", "width_by_second"))
        lines = [Curve(label, curve(getattr(found, field)), MIDDLE_S, keep="mean") for label, field in names]
        return curves_chart(
            "Warmth, density and width over time", lines, Axis("%", low=0.0, high=LOUD_SHARE), self.timeline
        )

    def saturation(self) -> Chart | None:
        """How far peaks are rounded off, over time."""
        line = Curve("Saturation", curve(self.results["production"].saturation_by_second_db), MIDDLE_S)
        return curves_chart(
            "Saturation over time", [line], Axis("dB", low=0.0, height=SMALL, least_span=3.0), self.timeline
        )

    def decay(self) -> Chart | None:
        """How long sounds ring, where they are left alone."""
        line = Curve("Decay", curve(self.results["production"].decay_by_second_s), MIDDLE_S, style="dots")
        note = "Only where a sound was left alone long enough to be heard fading."
        axis = Axis("s", low=0.0, height=SMALL, digits=2, note=note, least_span=1.0)
        return curves_chart("Decay over time", [line], axis, self.timeline)

    def stems(self) -> Chart | None:
        """The level of each stem that is there."""
        return stems_chart(self.results, self.timeline)

    def arrangement(self) -> Chart | None:
        """What is heard when."""
        return arrangement_chart(self.results, self.timeline)

    def brightness(self) -> Chart | None:
        """The centre of the spectrum in each second."""
        line = Curve("Brightness", curve(self.results["frames"].brightness_hz), HALF_S, keep="mean")
        axis = Axis("Hz", low=0.0, height=SMALL, digits=0, note="The middle of the spectrum in each second.")
        return curves_chart("Brightness over time", [line], axis, self.timeline)

    def voice(self) -> Chart | None:
        """Where a voice is."""
        return voice_chart(self.results, self.timeline)

    def production_rows(self) -> list[tuple[Section, list[float | None]]]:
        """Production by section, where there is a value for each."""
        found = self.results["production"]
        columns = [getattr(found, f"section_{name}") for name in PRODUCTION]
        listed = self.section_list()
        if not listed or any(len(column) != len(listed) for column in columns):
            return []
        return [(one, [column[number] for column in columns]) for number, one in enumerate(listed)]
