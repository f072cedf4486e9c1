"""What a render came out as, by its own sound: declared as every result is, so that pages and SQL show it alike."""

from __future__ import annotations

from dataclasses import dataclass

from processor.quantities import quantity

_RENDER = "the analysers, on the rendered mix"
_BEATS = "onsets of each layer against the beats of the plan, by section; see processor.mashup.offsets"


@dataclass(frozen=True)
class MadeFrom:
    """The tracks that a mashup is made of, by their ids, and the track that it is itself."""

    vocals: str = quantity("", label="Vocals", source="folders of the library", help="The song that is sung.")
    instrumental: str = quantity(
        "", label="Instrumental", source="folders of the library", help="The song that it is sung over."
    )
    mix: str | None = quantity(
        "", label="Mix", source="folders of the library", help="The mashup as a track with a report of its own."
    )


@dataclass(frozen=True)
class Measured:
    """A render, measured; None where nothing can be told, as the key of drums."""

    duration_s: float = quantity("s", label="Length", source="samples", help="How long it is.", low=0, digits=2)
    tempo_bpm: float | None = quantity(
        "BPM", label="Tempo", source=_RENDER, help="As heard in the mix, not as planned.", low=20, high=400
    )
    tempo_confidence: float | None = quantity(
        "", label="Tempo's confidence", source=_RENDER, help="How sure that is.", low=0, high=1, digits=2
    )
    key: str | None = quantity("", label="Key", source=_RENDER, help="As heard in the mix.")
    key_confidence: float | None = quantity(
        "", label="Key's confidence", source=_RENDER, help="How sure that is.", low=0, high=1, digits=2
    )
    integrated_lufs: float | None = quantity(
        "LUFS", label="Loudness", source="ITU-R BS.1770-4, annex 1", help="Of the mix, behind the limiter."
    )
    true_peak_dbtp: float | None = quantity(
        "dBTP", label="True peak", source="ITU-R BS.1770-4, annex 2", help="Highest of the mix.", digits=2
    )
    limiter_db: float = quantity(
        "dB", label="Limiter", source="its gain", help="The most that the limiter turned down.", low=0
    )
    beat_offset_median_ms: float | None = quantity(
        "ms", label="Beat offset", source=_BEATS, help="Middle distance between the beats of both layers.", low=0
    )
    beat_offset_p95_ms: float | None = quantity(
        "ms",
        label="Beat offset, 95th percentile",
        source=_BEATS,
        help="19 of 20 beats of both layers lie nearer than that.",
        low=0,
    )
    beat_offset_worst_ms: float | None = quantity(
        "ms", label="Worst section", source=_BEATS, help="The section whose layers lie farthest apart.", low=0
    )
    beat_offset_from: str = quantity(
        "", label="Beats heard in", source=_BEATS, help="What the beats of the vocals were measured by."
    )
    vocal_to_backing_lu: float | None = quantity(
        "LU",
        label="Vocals over backing",
        source="K-weighted energy of both layers while somebody sings (ITU-R BS.1770-4)",
        help="Loudness of the vocals less that of the backing.",
    )
    band_ratios_db: tuple[float | None, ...] = quantity(
        "dB",
        label="Vocals over backing, by band",
        source="energy of both layers in the six bands while somebody sings",
        help="Sub, bass, low mids, mids, high mids, air. Consonants need about 0 dB in the high mids.",
    )
    onset_sharpness_kept: float | None = quantity(
        "",
        label="Sharpness kept",
        source="mean rise of the strongest onsets of the vocals, after the stretch over before",
        help="1: attacks are as sharp as they were.",
        low=0,
        digits=2,
    )
    clicks_at_joins: int = quantity(
        "", label="Clicks at joins", source="discontinuity beside its surroundings", help="Joins that click.", low=0
    )
    joins: int = quantity("", label="Joins", source="the plan", help="Places where sound was put together.", low=0)
    deviations: tuple[str, ...] = quantity(
        "", label="Deviations", source="plan against measurement", help="Where it did not come out as planned."
    )
