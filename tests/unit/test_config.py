"""Settings and where they come from."""

import pytest

from crossfade.config import load_settings, setting_origin
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


def test_the_password_is_not_in_the_text_of_the_settings() -> None:
    assert "hunter2" not in repr(load_settings(sasl_password="hunter2"))
