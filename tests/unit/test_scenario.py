"""Scenarios: the shipped ones, a user's own, and errors in them."""

from dataclasses import astuple
from pathlib import Path

import pytest

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, format_duration
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.errors import MisuseError
from crossfade.generator.scenario import (
    MIN_AHEAD_MS,
    NO_SCENARIO,
    After,
    BotKind,
    Bots,
    Faults,
    Scenario,
    Silence,
    Spike,
    read_scenario,
    shipped_scenarios,
)

DOCS = Path(__file__).parents[2] / "docs"
SHIPPED = ("album-drop", "bot-farm", "country-offline", "messy-clients", "viral-song")
USUAL_SPIKE = 'song = 1\nfor = "1h"\nshare = 0.1\n'
USUAL_BOTS = 'kind = "looper"\naccounts = 5\nplays_a_minute = 1.9\n'
USUAL_SILENCE = 'country = "FR"\nfor = "5m"\n'


def read(tmp_path: Path, text: str) -> Scenario:
    path = tmp_path / "my.toml"
    path.write_text(text, "utf-8")
    return read_scenario(str(path))


def message(tmp_path: Path, text: str) -> str:
    with pytest.raises(MisuseError) as caught:
        read(tmp_path, text)
    assert caught.value.exit_code == 2
    line = str(caught.value)
    assert "\n" not in line
    return line.removeprefix(str(tmp_path / "my.toml")).removeprefix(": ")


def test_five_scenarios_are_shipped_and_each_does_something() -> None:
    assert shipped_scenarios() == SHIPPED
    for name in SHIPPED:
        scenario = read_scenario(name)
        assert scenario.name == name
        assert scenario.title
        assert scenario != Scenario(name, scenario.title)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_scenario_describes_its_effect_in_its_file_and_on_the_page(name: str) -> None:
    page = (DOCS / "scenarios.md").read_text("utf-8")
    assert f"### {name}\n" in page
    assert f"<!-- measured: {name} -->\n" in page
    path = Path(__file__).parents[2] / "src/crossfade/generator/scenarios" / f"{name}.toml"
    comment, _, rest = path.read_text("utf-8").partition("\n\n")
    assert "# What one sees: " in comment
    assert f"{comment.splitlines()[0]}" and rest.startswith("title = ")


def test_the_viral_song_has_risen_while_the_demo_is_running() -> None:
    (spike,) = read_scenario("viral-song").spikes
    assert (spike.country, spike.share) == ("IN", 0.4)
    assert spike.at_ms + spike.rise_ms < 60 * SECOND_MS
    assert spike.for_ms > 90 * SECOND_MS


def test_messy_clients_have_every_fault() -> None:
    faults = read_scenario("messy-clients").faults
    assert all(value for value in astuple(faults))
    assert 0.05 < faults.share < 0.1


def test_a_bot_farm_has_every_kind() -> None:
    assert {bots.kind for bots in read_scenario("bot-farm").bots} == set(BotKind)


def test_without_a_scenario_nothing_happens() -> None:
    assert Scenario("", "", Faults(), (), (), ()) == NO_SCENARIO
    assert Faults().share == 0


def test_an_empty_file_is_a_scenario_in_which_nothing_happens(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Scenario("my", "my")


def test_faults_have_their_documented_defaults() -> None:
    assert Faults().copy_after == (SECOND_MS, HOUR_MS)
    assert Faults().late_by == (31 * MINUTE_MS, 3 * DAY_MS)
    assert Faults().out_of_order_by == (SECOND_MS, 2 * MINUTE_MS)
    assert Faults().behind_by == (MINUTE_MS, DAY_MS)
    assert Faults().ahead_by == (10 * MINUTE_MS, DAY_MS)
    assert MIN_AHEAD_MS > FUTURE_MS


def write(scenario: Scenario) -> str:
    """Write a scenario as TOML with every key."""
    lines = [f'title = "{scenario.title}"', "[faults]"]
    for name in Faults.__slots__:
        value = getattr(scenario.faults, name)
        ends = [f'"{format_duration(end)}"' for end in value] if isinstance(value, tuple) else []
        lines.append(f"{name} = [{', '.join(ends)}]" if ends else f"{name} = {value}")
    for table, parts in (
        ("spike", scenario.spikes),
        ("bots", scenario.bots),
        ("silence", scenario.silences),
    ):
        for part in parts:
            lines.append(f"[[{table}]]")
            for name in part.__slots__:
                value = getattr(part, name)
                if name.endswith("_ms"):
                    lines.append(f'{name.removesuffix("_ms")} = "{format_duration(value)}"')
                elif value is not None:
                    lines.append(f"{name} = {value!r}" if not isinstance(value, str) else "")
                    lines.append(f'{name} = "{value}"' if isinstance(value, str) else "")
    return "\n".join(lines)


WHOLE = Scenario(
    "my",
    "Everything at once",
    Faults(0.1, 0.1, 0.2, 0.1, 0.1, 0.1, 0.2, 0.1, late_by=(HOUR_MS, HOUR_MS)),
    (
        Spike(at_ms=0, for_ms=HOUR_MS, rise_ms=0, share=1.0, song=0, country="BR"),
        Spike(at_ms=500, for_ms=HOUR_MS, rise_ms=HOUR_MS, share=0.5, album_of=7),
    ),
    (Bots(kind=BotKind.FARM, accounts=100_000, plays_a_minute=600.0, country="IS"),),
    (Silence(country="FR", at_ms=MINUTE_MS, for_ms=DAY_MS, then=After.NOTHING),),
)


@pytest.mark.parametrize("name", [*SHIPPED, "whole"])
def test_a_scenario_written_is_read_back(name: str, tmp_path: Path) -> None:
    scenario = WHOLE if name == "whole" else read_scenario(name)
    again = read(tmp_path, write(scenario))
    assert again == Scenario("my", *(getattr(scenario, part) for part in Scenario.__slots__[1:]))


def test_optional_keys_may_be_left_out(tmp_path: Path) -> None:
    scenario = read(
        tmp_path, f"[[spike]]\n{USUAL_SPIKE}[[bots]]\n{USUAL_BOTS}[[silence]]\n{USUAL_SILENCE}"
    )
    assert scenario.spikes == (
        Spike(at_ms=0, for_ms=HOUR_MS, rise_ms=0, share=0.1, song=1, album_of=None, country=None),
    )
    assert scenario.bots == (
        Bots(kind=BotKind.LOOPER, accounts=5, plays_a_minute=1.9, country=None),
    )
    assert scenario.silences == (
        Silence(country="FR", at_ms=0, for_ms=5 * MINUTE_MS, then=After.ALL_AT_ONCE),
    )


def test_a_file_from_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_bytes(b'\xef\xbb\xbftitle = "\xc3\x84rger"\r\n[faults]\r\ncopies = 1\r\n')
    assert read_scenario(str(path)) == Scenario("my", "Ärger", Faults(copies=1.0))


SHARE = "Give a share of plays: a number from 0 to 1."
LENGTH = 'Give a length of time such as "90s", "10m" or "2h", and at most 3650d.'
SOME_LENGTH = LENGTH.replace('h", and', 'h", of at least 1ms and')
RANGE = 'Give two lengths of time such as ["31m", "3d"], the shorter one first, and at most 3650d.'
AHEAD = RANGE.replace("first, and", "first, of at least 6m and")
COUNTRY = 'Give an ISO 3166-1 alpha-2 code in upper case, such as "BR" or "GB".'
RANK = "Give a whole number from 0 to 1000000."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("copies = 1.5", f"copies is 1.5. {SHARE}"),
        ("copies = -0.1", f"copies is -0.1. {SHARE}"),
        ("copies = nan", f"copies is NaN. {SHARE}"),
        ("copies = true", f"copies is true. {SHARE}"),
        ('copies = "1 %"', f'copies is "1 %". {SHARE}'),
        ("copies = [0.1]", f"copies is [0.1]. {SHARE}"),
        ("copies = 2019-06-01", f'copies is "2019-06-01". {SHARE}'),
        (f'copies = "{"x" * 99}"', f'copies is "{"x" * 59}…. {SHARE}'),
        ('late_by = ["3d", "31m"]', f'late_by is ["3d", "31m"]. {RANGE}'),
        ('late_by = ["-1m", "31m"]', f'late_by is ["-1m", "31m"]. {RANGE}'),
        ('late_by = ["1m", "31"]', f'late_by is ["1m", "31"]. {RANGE}'),
        ('late_by = ["1m"]', f'late_by is ["1m"]. {RANGE}'),
        ('late_by = ["1m", "2m", "3m"]', f'late_by is ["1m", "2m", "3m"]. {RANGE}'),
        ('late_by = ["1m", "3651d"]', f'late_by is ["1m", "3651d"]. {RANGE}'),
        ('late_by = "31m"', f'late_by is "31m". {RANGE}'),
        ("late_by = [1, 2]", f"late_by is [1, 2]. {RANGE}"),
        ('ahead_by = ["359s", "1d"]', f'ahead_by is ["359s", "1d"]. {AHEAD}'),
        (
            "copies = 0.5\nlate = 0.4\nmalformed = 0.2",
            "has shares that add up to 1.1. Make that 1 at most: a play has one fault.",
        ),
    ],
)
def test_an_impossible_fault_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    assert message(tmp_path, f"[faults]\n{text}\n") == f"[faults] {expected}"


def test_shares_may_add_up_to_one_despite_rounding(tmp_path: Path) -> None:
    names = ("copies", "late", "out_of_order", "clock_behind", "clock_ahead", "malformed")
    shares = (0.1, 0.2, 0.3, 0.3, 0.05, 0.05)
    text = "\n".join(f"{name} = {share}" for name, share in zip(names, shares, strict=True))
    assert read(tmp_path, f"[faults]\n{text}\n").faults.share == pytest.approx(1)


def test_a_clock_six_minutes_ahead_is_far_enough(tmp_path: Path) -> None:
    assert read(tmp_path, '[faults]\nahead_by = ["6m", "6m"]').faults.ahead_by == (360_000, 360_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            USUAL_SPIKE + "album_of = 1",
            "has both song and album_of. Give one of them: a rank, 0 for the most popular song.",
        ),
        (
            'for = "1h"\nshare = 0.1',
            "has neither song nor album_of. Give one of them: a rank, 0 for the most popular song.",
        ),
        ('song = 1\nfor = "1h"', f"has no share. {SHARE}"),
        ("song = 1\nshare = 0.1", f"has no for. {SOME_LENGTH}"),
        ('song = 1\nshare = 0.1\nfor = "0s"', f'for is "0s". {SOME_LENGTH}'),
        ("song = 1\nshare = 0.1\nfor = 60", f"for is 60. {SOME_LENGTH}"),
        (f'song = 1\nshare = 0.1\nfor = "{"9" * 400}d"', f'for is "{"9" * 59}…. {SOME_LENGTH}'),
        (USUAL_SPIKE + 'at = "soon"', f'at is "soon". {LENGTH}'),
        (
            USUAL_SPIKE + 'rise = "2h"',
            'rise is "2h". Make it no longer than for, which includes it.',
        ),
        ('song = -1\nfor = "1h"\nshare = 0.1', f"song is -1. {RANK}"),
        ('song = 1.0\nfor = "1h"\nshare = 0.1', f"song is 1.0. {RANK}"),
        ('song = true\nfor = "1h"\nshare = 0.1', f"song is true. {RANK}"),
        ('album_of = "So What"\nfor = "1h"\nshare = 0.1', f'album_of is "So What". {RANK}'),
        (USUAL_SPIKE + 'country = "UK"', f'country is "UK". {COUNTRY}'),
        (USUAL_SPIKE + 'country = "br"', f'country is "br". {COUNTRY}'),
        (USUAL_SPIKE + 'country = "ZZ"', f'country is "ZZ". {COUNTRY}'),
        (USUAL_SPIKE + 'country = ["BR"]', f'country is ["BR"]. {COUNTRY}'),
    ],
)
def test_an_impossible_spike_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    assert message(tmp_path, f"[[spike]]\n{text}\n") == f"[[spike]] {expected}"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("accounts = 0", "accounts is 0. Give a whole number from 1 to 100000."),
        ("accounts = 100001", "accounts is 100001. Give a whole number from 1 to 100000."),
        ("accounts = 2.5", "accounts is 2.5. Give a whole number from 1 to 100000."),
        ("plays_a_minute = 0", "plays_a_minute is 0. Give a number above 0, at most 600."),
        ("plays_a_minute = 601", "plays_a_minute is 601. Give a number above 0, at most 600."),
        ("plays_a_minute = inf", "plays_a_minute is Infinity. Give a number above 0, at most 600."),
        ('plays_a_minute = "2"', 'plays_a_minute is "2". Give a number above 0, at most 600.'),
        ('kind = "loper"', 'kind is "loper". Did you mean "looper"?'),
        ('kind = "human"', 'kind is "human". Known ones: looper, sleepless, farm, traveller.'),
        ("kind = 1", "kind is 1. Give one of looper, sleepless, farm, traveller."),
    ],
)
def test_impossible_bots_are_refused(change: str, expected: str, tmp_path: Path) -> None:
    kept = [line for line in USUAL_BOTS.splitlines() if line.split()[0] != change.split()[0]]
    assert message(tmp_path, "\n".join(["[[bots]]", *kept, change])) == f"[[bots]] {expected}"


@pytest.mark.parametrize("key", ["kind", "accounts", "plays_a_minute"])
def test_bots_need_all_their_keys(key: str, tmp_path: Path) -> None:
    kept = [line for line in USUAL_BOTS.splitlines() if not line.startswith(key)]
    assert message(tmp_path, "\n".join(["[[bots]]", *kept])).startswith(f"[[bots]] has no {key}. ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('for = "5m"', f"has no country. {COUNTRY}"),
        ('country = "ZZ"\nfor = "5m"', f'country is "ZZ". {COUNTRY}'),
        ('country = "FR"', f"has no for. {SOME_LENGTH}"),
        (USUAL_SILENCE + 'then = "nothin"', 'then is "nothin". Did you mean "nothing"?'),
    ],
)
def test_an_impossible_silence_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    assert message(tmp_path, f"[[silence]]\n{text}\n") == f"[[silence]] {expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("titel = 1", 'unknown key titel. Did you mean "title"?'),
        ("[[spikes]]", 'unknown key spikes. Did you mean "spike"?'),
        ('"a\\nb" = 1', 'unknown key "a\\nb". Known keys: title, faults, spike, bots, silence.'),
        ("[faults]\ncopys = 1", 'unknown key [faults] copys. Did you mean "copies"?'),
        ("[faults]\nCOPIES = 1", 'unknown key [faults] COPIES. Did you mean "copies"?'),
        (
            "[faults]\nduplicats = 1",
            "unknown key [faults] duplicats. Known keys: copies, late, out_of_order, clock_behind, "
            "clock_ahead, clock_seconds, malformed, oversized, copy_after, late_by, "
            "out_of_order_by, behind_by, ahead_by.",
        ),
        ("[[spike]]\nshar = 1", 'unknown key [[spike]] shar. Did you mean "share"?'),
        (
            f"[[spike]]\n{USUAL_SPIKE}[[spike]]\nalbum = 1",
            'unknown key [[spike]] 2 album. Did you mean "album_of"?',
        ),
        (
            f"[[spike]]\n{USUAL_SPIKE}[[spike]]\nsong = 1",
            f"[[spike]] 2 has no for. {SOME_LENGTH}",
        ),
        (
            "[spike]\nsong = 1",
            'spike is {"song": 1}. Write each one below a line with [[spike]], in two brackets.',
        ),
        ("bots = [1]", "bots is [1]. Write each one below a line with [[bots]], in two brackets."),
        ("faults = 0.1", "faults is 0.1. Write it as a table: [faults] on a line of its own."),
        ("title = 5", "title is 5. Give a text of one line in quotation marks."),
        (
            'title = "a\\nb"',
            'title is "a\\nb". Give a text of one line in quotation marks.',
        ),
    ],
)
def test_an_unknown_key_or_one_of_another_type_is_refused(
    text: str, expected: str, tmp_path: Path
) -> None:
    assert message(tmp_path, text) == expected


def test_broken_toml_is_named_with_its_line(tmp_path: Path) -> None:
    expected = " is not TOML: Invalid value (at line 3, column 10). Correct it there."
    assert message(tmp_path, 'title = "x"\n[faults]\ncopies = %\n') == expected
    assert message(tmp_path, "a = " + "[" * 100_000).startswith(" is not TOML: ")


def test_a_file_that_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_bytes(b'# \xc3\xa4\ntitle = "\xe4"\n')
    with pytest.raises(MisuseError) as caught:
        read_scenario(str(path))
    assert str(caught.value) == f"{path} line 2 is not UTF-8. Save it as UTF-8."


ALL = f"Shipped ones: {', '.join(SHIPPED)}."


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "viral-sogn",
            'No scenario named "viral-sogn". Did you mean "viral-song"? '
            f"{ALL} Your own: a .toml file.",
        ),
        ("zzz", f'No scenario named "zzz". {ALL} Your own: a .toml file.'),
        (
            "no-such.toml",
            "Cannot read no-such.toml: No such file or directory. "
            f"Name a TOML file or a shipped scenario. {ALL}",
        ),
        (
            "./viral-song",
            "Cannot read ./viral-song: No such file or directory. "
            f"Name a TOML file or a shipped scenario. {ALL}",
        ),
        ("/", f"Cannot read /: Is a directory. Name a TOML file or a shipped scenario. {ALL}"),
    ],
)
def test_an_unknown_scenario_name_is_refused(
    name: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MisuseError) as caught:
        read_scenario(name)
    assert str(caught.value) == expected
    assert caught.value.exit_code == 2
