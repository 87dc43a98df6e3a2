import pytest

from crossfade.stack.ivy import proxy_options


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_without_a_proxy_java_gets_no_proxy_options() -> None:
    assert proxy_options() == []


def test_the_usual_variables_become_java_properties(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "localhost,.example.org")
    assert proxy_options() == [
        "-Dhttps.proxyHost=proxy.example",
        "-Dhttps.proxyPort=3128",
        '"-Dhttp.nonProxyHosts=localhost|*.example.org"',
    ]


def test_a_proxys_user_and_password_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:p%40ss%22word@proxy.example:3128")
    options = proxy_options()
    assert '"-Dhttp.proxyUser=me"' in options
    assert '"-Dhttp.proxyPassword=p@ss\\"word"' in options
    assert "-Djdk.http.auth.tunneling.disabledSchemes=" in options
