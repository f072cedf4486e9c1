"""Where a measure stands in the library."""

from __future__ import annotations

import pytest

from processor import catalogue
from processor.analysis import result_types
from processor.feedback.standing import MEASURES, MIN_PEERS, Library
from processor.quantities import columns
from processor.workspace import Workspace
from tests.libraries import make_track


def library_of(workspace: Workspace, genres: list[str | None], tilts: list[float | None]) -> tuple[list[str], Library]:
    tracks = [
        make_track(workspace, f"{number:03d}.wav", metadata__genre=genre, spectrum__tilt_db_per_octave=tilt)
        for number, (genre, tilt) in enumerate(zip(genres, tilts, strict=True))
    ]
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.synchronise(workspace, connection)
        return [track.id for track in tracks], Library(connection)


def tilt_of(library: Library, track: str) -> str | None:
    return next((one.text for one in library.standing(track) if one.field == "spectrum.tilt_db_per_octave"), None)


def test_every_measure_is_a_field() -> None:
    types = result_types()
    for measure in MEASURES:
        analyser, _, name = measure.field.partition(".")
        assert name in {column.name for column in columns(types[analyser])}


def test_a_track_is_compared_with_the_others(workspace: Workspace) -> None:
    ids, library = library_of(workspace, [None] * 11, [-5.0 + 0.1 * n for n in range(11)])
    assert tilt_of(library, ids[10]) == "brighter than 100\u00a0% of your library"
    assert tilt_of(library, ids[8]) == "brighter than 80\u00a0% of your library"
    assert tilt_of(library, ids[1]) == "darker than 90\u00a0% of your library"


def test_below_ten_peers_nothing_is_said(workspace: Workspace) -> None:
    ids, library = library_of(workspace, [None] * MIN_PEERS, [float(n) for n in range(MIN_PEERS)])
    assert library.standing(ids[0]) == ()
    assert library.size(ids[0]) == 0


def test_peers_without_the_number_do_not_count(workspace: Workspace) -> None:
    ids, library = library_of(workspace, [None] * 12, [None, None, *[float(n) for n in range(10)]])
    assert tilt_of(library, ids[5]) is None  # nine others have one
    assert tilt_of(library, ids[0]) is None


def test_its_own_genre_comes_first_where_it_is_large_enough(workspace: Workspace) -> None:
    genres = ["Techno"] * 11 + ["Jazz"] * 4
    ids, library = library_of(workspace, genres, [-3.0 - n for n in range(15)])
    assert tilt_of(library, ids[0]) == "brighter than 100\u00a0% of your techno"
    assert tilt_of(library, ids[14]) == "darker than 100\u00a0% of your library"


def test_other_bounces_of_its_song_are_no_peers(workspace: Workspace) -> None:
    ids, _ = library_of(workspace, [None] * 12, [float(n) for n in range(12)])
    rows = [
        {"track": track, "song": ids[0], "number": number, "previous": None, "reason": ""}
        for number, track in enumerate(ids[:2], 1)
    ]
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.replace_derived(connection, "revisions", {"revisions": rows}, dict.fromkeys(ids[:2], "now"))
        library = Library(connection)
    assert {one.peers for one in library.standing(ids[0])} == {10}
    assert {one.peers for one in library.standing(ids[5])} == {11}
    assert tilt_of(library, ids[1]) == "darker than 100\u00a0% of your library"


def test_one_instrument_is_not_compared_with_mixes(workspace: Workspace) -> None:
    for number in range(12):
        kind = "solo" if number == 3 else "mix"
        make_track(workspace, f"{number}.wav", material__kind=kind, metadata__genre="dub")
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        tracks = catalogue.synchronise(workspace, connection).all_tracks
        library = Library(connection)
    found = {track.id.partition("-")[0]: library.standing(track.id) for track in tracks}
    assert found["3"] == ()
    assert {one.peers for one in found["4"]} == {10}


def test_equals_count_half(workspace: Workspace) -> None:
    ids, library = library_of(workspace, [None] * 11, [-5.0] * 11)
    assert tilt_of(library, ids[3]) == "brighter than 50\u00a0% of your library"


def test_the_most_unusual_comes_first(workspace: Workspace) -> None:
    ids, library = library_of(workspace, [None] * 11, [float(n) for n in range(11)])
    first, *rest = library.standing(ids[10])
    assert first.field == "spectrum.tilt_db_per_octave"
    assert all(one.share <= first.share for one in rest)


@pytest.mark.parametrize(("tracks", "size"), [(11, 10), (13, 11), (14, 11)])
def test_its_size_grows_in_steps(workspace: Workspace, tracks: int, size: int) -> None:
    ids, library = library_of(workspace, [None] * tracks, [1.0] * tracks)
    assert library.size(ids[0]) == size


def test_a_track_that_is_unknown_stands_nowhere(workspace: Workspace) -> None:
    _, library = library_of(workspace, [None] * 11, [1.0] * 11)
    assert library.standing("nobody-12345678") == ()
