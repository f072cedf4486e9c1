"""What files are checked against: platform, profile, a person's words and checks; and the checking itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from processor.cli.analysing import analysed
from processor.cli.shared import F, decodable, home_path
from processor.errors import WrongUsage

if TYPE_CHECKING:
    from processor.feedback.check import Check
    from processor.feedback.check_reports import FileReport
    from processor.feedback.desk import Desk
    from processor.feedback.platforms import Platform
    from processor.feedback.tone import Profile
    from processor.library import Track
    from processor.record import JSON, Results
    from processor.workspace import Workspace


def target_option(command: F) -> F:
    """Add `--target PLATFORM`."""
    text = "The platform that plays it: spotify, youtube, ebu-r128 …  [default: desk.target of the settings]"
    return click.option("--target", metavar="PLATFORM", help=text)(command)


def profile_option(command: F) -> F:
    """Add `--profile NAME`."""
    text = "What such music is like: techno, folk …  [default: by a person's word or the file's genre tag]"
    return click.option("--profile", metavar="NAME", help=text)(command)


@dataclass(frozen=True)
class Bench:
    """What files are checked against.

    Attributes:
        workspace: whose words and checks count; there may be none at its place.
        desk: its profiles and platforms.
        platform: where the files go.
        profile: what they are measured against, if a person said so.
        heard_of: what the library knows of the files that were asked about.
    """

    workspace: Workspace
    desk: Desk
    platform: Platform
    profile: Profile | None
    heard_of: dict[Path, Known] = field(default_factory=dict)

    @property
    def own_folder(self) -> Path:
        """Where a person's own checks are."""
        from processor.feedback.ledger import OWN_CHECKS

        return self.workspace.library / OWN_CHECKS

    def known(self, file: Path) -> Known:
        """What the library knows of a file's content; asked once, for a file may be long."""
        if file not in self.heard_of:
            self.heard_of[file] = _known(self.workspace, file)
        return self.heard_of[file]

    def check(self, results: Results, said: dict[str, JSON]) -> tuple[tuple[Check, ...], str]:
        """The built-in checks, and what they were made against, in words."""
        from processor.feedback.checks import builtin_checks
        from processor.feedback.profiles import choose_profile

        profile, why = self.profile, "asked for"
        if profile is None:
            profile, why = choose_profile(results, said, self.desk.settings, self.desk.profiles)
        return builtin_checks(results, profile, self.platform), f"{self.platform.title} · {profile.title} ({why})"


def open_bench(home: str | None, target: str | None, profile: str | None) -> Bench:
    """What files are checked against.

    Raises:
        WrongUsage: there is no platform or profile of that name.
    """
    from processor.feedback.desk import open_desk
    from processor.workspace import Workspace

    workspace = Workspace(home_path(home))
    desk = open_desk(workspace)
    platform = desk.platform if target is None else _named(target, "platform", desk.platforms)
    chosen = None if profile is None else _named(profile, "profile", desk.profiles)
    return Bench(workspace, desk, platform, chosen)


def _named(name: str, noun: str, known: dict[str, Any]) -> Any:
    from processor.feedback.platforms import unknown

    try:
        return known[name]
    except KeyError:
        text = unknown(decodable(name), noun, known)
        raise WrongUsage(text[0].upper() + text[1:]) from None


@dataclass(frozen=True)
class Known:
    """What the library knows of a file.

    Attributes:
        sha256: of its bytes; empty where nobody needs it or it cannot be read.
        track: the track with this content, if there is one.
        said: a person's words about that.
    """

    sha256: str = ""
    track: Track | None = None
    said: dict[str, JSON] = field(default_factory=dict)


def _known(workspace: Workspace, file: Path) -> Known:
    from processor import library
    from processor.errors import RecordError
    from processor.files import hash_file

    if not workspace.exists():
        return Known()
    try:
        sha256 = hash_file(file)
    except OSError:
        return Known()  # decoding it will say why
    track = library.find(workspace, sha256)
    try:
        return Known(sha256, track, library.read_person(track) if track is not None else {})
    except RecordError:
        return Known(sha256, track)  # `linernotes doctor` names it


def checked_files(
    files: Sequence[Path], bench: Bench, workers: int | None
) -> Iterator[tuple[FileReport, str, Results | None]]:
    """How each file did in the built-in checks, the name of its track, and its results."""
    from processor.feedback.check_reports import FileReport
    from processor.files import slug
    from processor.library import known_words

    def words(file: Path) -> dict[str, dict[str, JSON]]:
        return known_words(bench.known(file).said)

    for number, (file, answer) in enumerate(analysed(files, bench.desk.settings, workers, words)):
        if isinstance(answer, str):
            yield FileReport(file, error=answer), "", None
            continue
        known = bench.known(file)
        track = known.track.id if known.track is not None else f"{slug(file.stem)}-{known.sha256[:8] or number}"
        checks, against = bench.check(answer.results, known.said)
        yield FileReport(file, checks, against=against), track, answer.results


def own_checks(bench: Bench, files: Iterator[tuple[str, str, Results]]) -> dict[str, tuple[Check, ...]]:
    """What a person's own checks say of every track of the library, and of files that it does not have.

    Args:
        bench: whose checks.
        files: track, file name and results; all are taken, and known ones left aside.
    """
    from processor import catalogue
    from processor.feedback.own_checks import library_checks, sql_checks

    found = library_checks(bench.workspace, bench.own_folder)
    seen = set(found)

    def strangers() -> Iterator[tuple[str, str, Results]]:
        for track, name, results in files:
            if track not in seen:
                seen.add(track)
                yield track, name, results

    with catalogue.of_results(strangers()) as connection:
        return found | sql_checks(connection, bench.own_folder)
