"""Settings of existing topics: refused where they give wrong numbers, warned of otherwise."""

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from structlog.testing import capture_logs

from crossfade.config import load_settings
from crossfade.errors import MisuseError
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS, create_topics
from crossfade.stack.broker import Broker

pytestmark = pytest.mark.kafka

LOG_TIME = {"message.timestamp.type": "LogAppendTime"}
MAX_BYTES = {"max.message.bytes": str(4 * 1024 * 1024)}

CreateTopic = Callable[[str, dict[str, str]], None]


@pytest.fixture
def create_topic(spare_broker: Broker) -> Iterator[CreateTopic]:
    """Create topics as another tool does; both topics are deleted at the end."""
    admin = AdminClient(spare_broker.address.client_config())

    def create(name: str, config: dict[str, str]) -> None:
        admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result(20)

    yield create
    found = admin.list_topics(timeout=20).topics.keys() & {SONG_PLAYS, PLAYS_BY_WINDOW}
    for deleted in admin.delete_topics(list(found)).values() if found else ():
        deleted.result(20)


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        (
            SONG_PLAYS,
            {**LOG_TIME, "cleanup.policy": "compact"},
            "song-plays has cleanup.policy=compact. Set it to delete",
        ),
        (
            SONG_PLAYS,
            {**LOG_TIME, "cleanup.policy": "compact,delete"},
            "song-plays has cleanup.policy=compact,delete. Set it to delete",
        ),
        (SONG_PLAYS, {}, "song-plays has message.timestamp.type=CreateTime. Set it to Log"),
        (PLAYS_BY_WINDOW, {}, "plays-by-window has message.timestamp.type=CreateTime. Set it"),
    ],
    ids=["compacted", "compacted and deleted", "producers' clocks", "clocks of windows"],
)
def test_a_topic_that_gives_wrong_numbers_is_refused_with_the_cure(
    create_topic: CreateTopic,
    spare_broker: Broker,
    name: str,
    config: dict[str, str],
    message: str,
) -> None:
    create_topic(name, config)
    with pytest.raises(MisuseError) as refusal:
        create_topics(spare_broker.address, load_settings())
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        ({"retention.ms": "3600000"}, ["retention.ms=3600000"]),
        ({"retention.bytes": "1000000"}, ["retention.bytes=1000000"]),
        (
            {"max.message.bytes": "1048588", "unclean.leader.election.enable": "true"},
            ["max.message.bytes=1048588", "unclean.leader.election.enable=true"],
        ),
        ({}, []),
    ],
    ids=["short retention", "retention by size", "small records and unclean leaders", "no risk"],
)
def test_a_topic_that_may_lose_records_is_used_with_a_warning(
    create_topic: CreateTopic,
    spare_broker: Broker,
    config: dict[str, str],
    settings: list[str],
) -> None:
    create_topic(SONG_PLAYS, LOG_TIME | MAX_BYTES | config)
    with capture_logs() as logs:
        create_topics(spare_broker.address, load_settings())
    warned = [line["setting"] for line in logs if line["event"] == "topic setting"]
    assert warned == settings
