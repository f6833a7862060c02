"""What was handed over is remembered, in bounded memory."""

from ipn.repeats import Repeats


def test_the_latest_messages_are_remembered_and_the_oldest_forgotten() -> None:
    repeats = Repeats(room=2)
    for message_id in ("a", "b", "b", "c"):
        repeats.add(message_id)

    assert [message_id in repeats for message_id in "abcd"] == [False, True, True, False]
