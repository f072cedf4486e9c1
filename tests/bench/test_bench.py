"""The benchmark runs, adds up, and says what is missing. How fast things are is not tested here."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from processor.analysis import all_analysers
from processor.graph import deep
from tests.bench import __main__ as bench
from tests.bench import contenders, memory, models
from tests.bench.memory import Usage
from tests.signals import audio, song, write_wav

RATE = 44_100


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command sets for itself is gone after each test."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav(tmp_path_factory.mktemp("bench") / "short.wav", song(4.0, rate=RATE), RATE)


def test_every_analyser_is_timed_and_the_sum_is_not_over_the_total() -> None:
    found = contenders.ours(audio(song(4.0, rate=RATE), RATE))
    assert set(found.stages) == set(all_analysers()) - deep(all_analysers())
    assert found.without == {}
    assert 0 < sum(found.stages.values()) <= found.total


def test_a_stage_that_fails_is_timed_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise ValueError("no ears")

    analysers = all_analysers()
    one = replace(analysers["levels"], function=broken)
    monkeypatch.setattr(contenders, "all_analysers", lambda: {**analysers, "levels": one})
    found = contenders.ours(audio(song(4.0, rate=RATE), RATE))
    assert found.without == {"levels": "ValueError: no ears"}
    assert "levels" in found.stages


def test_stages_of_others_are_the_time_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([1.0, 2.0, 4.5])
    monkeypatch.setattr(contenders, "cpu", lambda: next(clock))
    monkeypatch.setattr(contenders, "_peer_stages", lambda _: iter(["a", "b"]))
    found = contenders.librosa_and_pyloudnorm(audio(song(4.0, rate=RATE), RATE))
    assert (found.stages, found.total) == ({"a": 1.0, "b": 2.5}, 3.5)


def test_what_is_not_installed_is_named_with_how_to_install_it(
    short: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contenders, "find_spec", lambda name: None)
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    monkeypatch.setattr(memory, "usage", lambda name, path: Usage(100.0, 150.0, 200.0, 1.0))
    assert bench.main([str(short), "--rounds", "1"]) == 0
    out = capsys.readouterr().out
    assert "Not compared: librosa + pyloudnorm; pip install librosa pyloudnorm" in out
    assert "Not compared: essentia MusicExtractor; pip install --pre essentia" in out
    assert "short.wav: 4 s, 2 channels, 44100 Hz" in out
    assert all(name in out for name in all_analysers().keys() - deep(all_analysers()))


def test_ratios_are_those_of_the_medians(capsys: pytest.CaptureFixture[str]) -> None:
    totals = {"decoding": [0.1, 0.2, 0.9], "Liner Notes": [0.5, 0.7, 0.6], "librosa + pyloudnorm": [6.0, 1.0, 9.0]}
    bench.report_totals(bench.Rounds(list(totals), {}, totals, first=2.0))
    out = capsys.readouterr().out
    assert "The analysis costs 3.00 × decoding: within the aim" in out
    assert out.splitlines()[3].split()[-4:] == ["6.000", "1.000", "30.00", "10.0"]
    totals["decoding"] = [0.1]
    bench.report_totals(bench.Rounds(list(totals), {}, totals))
    assert "6.00 × decoding: OVER THE LIMIT" in capsys.readouterr().out


def test_memory_is_measured_in_a_process_of_its_own(short: Path) -> None:
    found = memory.usage(contenders.OURS, short)
    assert 0 < found.imported_mib <= found.decoded_mib <= found.peak_mib < 4000
    assert found.seconds > 0


TAKING = """
from tests.bench import memory
before = memory.now_mib()
taken = bytearray(b"x") * (64 * memory.MIB)
print(memory.now_mib() - before, memory.peak_mib() - memory.now_mib())
"""


def test_memory_of_a_process_follows_what_is_taken() -> None:
    """In a process of its own: this one has freed memory that would be taken again."""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", TAKING], cwd=root, capture_output=True, text=True, check=True)
    taken_mib, over_mib = map(float, done.stdout.split())
    assert taken_mib == pytest.approx(64, abs=8)
    assert over_mib >= -1


def test_many_analyses_of_one_file(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([str(short), "--flat", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["1", "2", "4"]
    assert lines[4].startswith("In the second half it grew by ")


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "flat", stop)
    assert bench.main([str(short), "--flat", "4"]) == 130
    assert "stopped" in capsys.readouterr().err


def test_the_command_explains_itself() -> None:
    words = [sys.executable, "-m", "tests.bench", "--help"]
    done = subprocess.run(words, cwd=bench.ROOT, capture_output=True, text=True, check=True)
    assert "--flat" in done.stdout


def test_a_model_has_a_row(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("swift_f0")
    assert models.main([str(short), "--model", "swift_f0", "--threads", "1"]) == 0
    _, row = capsys.readouterr().out.splitlines()
    assert row.startswith("swift_f0 ")
    load_s, work_s, rate, times, before, peak = (float(number) for number in row.split()[1:])
    assert load_s > 0
    assert rate == pytest.approx(work_s / 4.0, abs=0.01)
    assert times > 1
    assert before <= peak


def test_a_model_that_is_not_here_says_so(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert models.main([str(short), "--model", "ast", "--threads", "1"]) == 0
    assert "ast is not here" in capsys.readouterr().out


def test_what_a_model_could_not_do_is_told() -> None:
    assert models.Cost("x", 0, 0, 1, 0, 0, "stems: no room").line.split() == ["x", "stems:", "no", "room"]
