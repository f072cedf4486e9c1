"""Settings come from the defaults, the file and the environment, and every mistake is named."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from processor.config import CONFIG_NAME, EXAMPLE, Limits, Settings, load_settings
from processor.errors import WrongUsage


def load(home: Path, text: str = "", **environment: str) -> Settings:
    if text:
        (home / CONFIG_NAME).write_text(text, encoding="utf-8")
    return load_settings(home, environment)


def test_without_a_file_all_are_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings()
    assert load(tmp_path, "") == Settings()


def test_the_limits_are_those_that_we_promise() -> None:
    limits = Limits()
    assert limits.file_bytes == 1_000_000_000
    assert limits.decoded_bytes == 2**30
    assert limits.duration_s == 2 * 3600
    assert limits.channels == 8


def test_the_file_changes_what_it_names(tmp_path: Path) -> None:
    lines = ["[limits]", "duration_s = 60", "[inbox]", "polling = true", "settle_s = 0.5"]
    lines += ["[analysers]", 'off = ["a", "b"]', "[workers]", "count = 3"]
    settings = load(tmp_path, "\n".join(lines))
    assert settings.limits == Limits(duration_s=60.0)
    assert isinstance(settings.limits.duration_s, float)
    assert settings.inbox.polling is True
    assert settings.inbox.settle_s == 0.5
    assert settings.analysers.off == ("a", "b")
    assert settings.workers.count == 3


def test_a_site_has_previews_unless_somebody_says_no(tmp_path: Path) -> None:
    assert load(tmp_path).site.previews is True
    assert load(tmp_path, LINERNOTES_SITE_PREVIEWS="0").site.previews is False
    assert load(tmp_path, "[site]\npreviews = false\n").site.previews is False


def test_the_environment_wins(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "[limits]\nchannels = 2\nduration_s = 60\n[inbox]\npolling = true\n",
        LINERNOTES_LIMITS_CHANNELS="6",
        LINERNOTES_INBOX_POLLING="False",
        LINERNOTES_ANALYSERS_OFF=" a, b ,",
        LINERNOTES_WORKERS_DEADLINE_S="1.5",
        OTHER="x",
    )
    assert settings.limits == Limits(channels=6, duration_s=60.0)
    assert settings.inbox.polling is False
    assert settings.analysers.off == ("a", "b")
    assert settings.workers.deadline_s == 1.5


def test_the_real_environment_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINERNOTES_LIMITS_CHANNELS", "3")
    assert load_settings(tmp_path).limits.channels == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits]\nduration = 3\n", ["there is no setting `duration`", "did you mean `duration_s`?"]),
        ("[limit]\nduration_s = 3\n", ["there is no setting `limit`", "did you mean `limits`?"]),
        ("[limits]\nzzz = 3\n", ["there is no setting `zzz`", "file_bytes, decoded_bytes"]),
        ("channels = 3\n", ["`channels` stands outside a section"]),
        ("[limits\n", ["is not valid TOML"]),
        ("[limits]\nchannels = 'many'\n", ["limits.channels", "'many' is not a"]),
        ("[limits]\nchannels = 2.5\n", ["limits.channels", "2.5"]),
        ("[limits]\nchannels = -1\n", ["limits.channels", "zero or more"]),
        ("[limits]\nchannels = true\n", ["limits.channels", "True"]),
        ("[limits]\nchannels = [1]\n", ["limits.channels"]),
        ("[limits]\nduration_s = nan\n", ["limits.duration_s", "nan"]),
        ("[limits]\nduration_s = inf\n", ["limits.duration_s", "inf"]),
        (f"[limits]\nfile_bytes = 1{'0' * 400}\n", ["limits.file_bytes"]),
        ("[inbox]\npolling = 'perhaps'\n", ["inbox.polling", "'perhaps'"]),
        ("[analysers]\noff = 3\n", ["analysers.off"]),
    ],
)
def test_a_mistake_in_the_file_is_named(text: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(WrongUsage) as caught:
        load(tmp_path, text)
    assert str(tmp_path / CONFIG_NAME) in str(caught.value)
    for part in words:
        assert part in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WrongUsage, match="is not valid TOML"):
        load(tmp_path)


@pytest.mark.parametrize("word", ["x", "", "-3", "1e400", "nan", "0x10"])
def test_a_mistake_in_the_environment_is_named(word: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="LINERNOTES_LIMITS_CHANNELS"):
        load(tmp_path, LINERNOTES_LIMITS_CHANNELS=word)


def test_the_example_names_each_setting_with_its_default(tmp_path: Path) -> None:
    assert load(tmp_path, EXAMPLE) == Settings()
    lines = [line.removeprefix("# ") for line in EXAMPLE.splitlines() if not line.startswith("# Settings")]
    (tmp_path / CONFIG_NAME).write_text("\n".join(lines), encoding="utf-8")
    assert load(tmp_path) == Settings()
    shown = tomllib.loads("\n".join(lines))
    assert set(shown) == {section.name for section in fields(Settings)}


@pytest.mark.parametrize("value", ["maybe", "", "ON"])
def test_a_switch_of_a_model_has_three_positions(tmp_path: Path, value: str) -> None:
    (tmp_path / CONFIG_NAME).write_text(f'[models]\nyamnet = "{value}"\n')
    with pytest.raises(WrongUsage, match=r"models\.yamnet is '.*'; it can be on, auto, off"):
        load_settings(tmp_path, {})
    with pytest.raises(WrongUsage, match=r"the environment: models\.ast is"):
        load_settings(tmp_path / "none", {"LINERNOTES_MODELS_AST": value})


@pytest.mark.parametrize("value", ["on", "auto", "off"])
def test_each_position_is_taken(tmp_path: Path, value: str) -> None:
    assert load_settings(tmp_path, {"LINERNOTES_MODELS_YAMNET": value}).models.yamnet == value


def test_what_is_no_truth_is_told_so(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text('[models]\ndeep = "sometimes"\n')
    with pytest.raises(WrongUsage, match="is not true or false"):
        load_settings(tmp_path, {})
