"""Settings and where they come from."""

from pathlib import Path

import pytest

from crossfade.config import expand_home, load_settings, setting_origin, split_origins
from crossfade.errors import MisuseError


def test_an_option_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSFADE_PORT", "8001")
    assert load_settings().port == 8001
    assert load_settings(port=8002).port == 8002
    assert load_settings(port=None).port == 8001


def test_the_environment_is_named_as_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSFADE_PORT", "8001")
    assert setting_origin("port") == "CROSSFADE_PORT"
    assert setting_origin("host") == "default"


def test_a_wrong_value_is_refused_with_the_names_to_correct() -> None:
    with pytest.raises(MisuseError, match=r"port has value 'x'.*CROSSFADE_PORT"):
        load_settings(port="x")


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", []),
        ("*", ["*"]),
        (
            "https://example.org, http://127.0.0.1:3000",
            ["https://example.org", "http://127.0.0.1:3000"],
        ),
    ],
)
def test_origins_are_split_at_commas(text: str, origins: list[str]) -> None:
    assert split_origins(load_settings(cors=text).cors) == origins


@pytest.mark.parametrize(
    "text", ["example.org", "https://example.org/", "https://a.example,b", "ftp://a", "null"]
)
def test_a_text_that_is_not_an_origin_is_refused(text: str) -> None:
    with pytest.raises(MisuseError, match=r"is not an origin such as https://example.org.*_CORS"):
        load_settings(cors=text)


def test_the_password_is_not_in_the_text_of_the_settings() -> None:
    assert "hunter2" not in repr(load_settings(sasl_password="hunter2"))


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("CROSSFADE_PROT", "CROSSFADE_PORT"),
        ("CROSSFADE_BOOTSTRAP_SERVERS", "CROSSFADE_BOOTSTRAP"),
        ("CROSSFADE_LATEAFTER", "CROSSFADE_LATE_AFTER"),
        ("crossfade_grian", "CROSSFADE_GRAIN"),
        ("CROSSFADE_", "CROSSFADE_"),
    ],
)
def test_a_misspelt_variable_is_an_error_that_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch, variable: str, nearest: str
) -> None:
    monkeypatch.setenv(variable, "1m")
    with pytest.raises(MisuseError, match=f"{variable} is not a setting.*Did you mean {nearest}"):
        load_settings()


@pytest.mark.parametrize(
    "variable", ["CROSSFADE_PYTHON", "CROSSFADE_DEBUG", "CROSSFADE_HELD_FOLDER", "crossfade_host"]
)
def test_variables_of_scripts_and_children_are_no_mistake(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "x")
    load_settings()


def test_a_path_may_begin_with_the_home_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CROSSFADE_CACHE", "~/cache")
    monkeypatch.setenv("CROSSFADE_SSL_CA", "~/ca.pem")
    settings = load_settings(data=Path("~/plays"))
    assert settings.data == tmp_path / "plays"
    assert settings.cache == tmp_path / "cache"
    assert settings.ssl_ca == str(tmp_path / "ca.pem")


@pytest.mark.parametrize("path", ["-", "", "a~b", "./~", "s3://bucket//x"])
def test_another_path_stays_as_it_is(path: str) -> None:
    assert expand_home(path) == path


def test_the_home_of_nobody_is_misuse() -> None:
    with pytest.raises(MisuseError, match="~nobody-of-this-name/x begins with ~"):
        expand_home(Path("~nobody-of-this-name/x"))
