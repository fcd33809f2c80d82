"""The guests' grammar: what each word means in both languages, and that nothing becomes a command or a wrong count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.guest_words import LONGEST, Said, read
from radios.meshtastic.team import WORDS
from sync.events import BY_NAME
from sync.trust.standing import GUEST_KINDS

CHECKIN, SOS, OVER = Said("checkin"), Said("sos"), Said("sos", {"state": 0})
READ, ACTED, UNABLE = (Said("receipt", {"state": state}) for state in (1, 2, 3))


def par(safe: int, missing: int = 0) -> Said:
    return Said("rollcall.answer", {"safe": safe, "missing": missing})


def triage(*counts: int) -> Said:
    return Said("report", {"form": "triage", "indicators": [*counts, *[0] * (4 - len(counts))], "text": ""})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("到", [CHECKIN]), ("报到!", [CHECKIN]), ("here", [CHECKIN]), ("Check-in", [CHECKIN]), ("到底怎么了", []),
        ("安4", [par(4)]), ("安4缺1", [par(4, 1)]), ("平安十二人", [par(12)]), ("安四", [par(4)]), ("PAR 4", [par(4)]),
        ("par4 missing 2", [par(4, 2)]), ("4 safe 1 missing", [par(4, 1)]), ("安4,缺2", [par(4, 2)]),
        ("PAR 4, one missing", []), ("安4,有人失联", []), ("par 4 1", []), ("安12345", []),
        ("红2黄3", [triage(2, 3)]), ("红2人 黄3人 绿10", [triage(2, 3, 10)]), ("red 2 yellow 3 black 1", [triage(2, 3, 0, 1)]),
        ("R2 Y1", [triage(2, 1)]), ("r : 2 人 + y 1", [triage(2, 1)]), ("红十二黄3", [triage(12, 3)]), ("红2黄", []),
        ("SOS", [SOS]), ("sos!!! 3号点", [SOS]), ("救命啊", [SOS]), ("MAYDAY mayday", [SOS]), ("help", [SOS]),
        ("helpful", []), ("SOS 解除", [OVER]), ("sos over", [OVER]),
        ("收到", [READ]), ("Roger.", [READ]), ("没收到", []), ("完成", [ACTED]), ("done", [ACTED]), ("unable", [UNABLE]),
        ("到,安4,红2黄3", [CHECKIN, par(4), triage(2, 3)]), ("收到\n安4", [READ, par(4)]),
        ("撤离", []), ("撤离 A区", []), ("order: evacuate", []), ("roll call", []), ("命令 全体撤离", []), ("", []),
    ],
)  # fmt: skip
def test_words(text: str, said: list[Said]) -> None:
    assert read(text) == said


@given(st.text(max_size=300))
def test_whatever_is_said_it_is_no_command_and_no_error(text: str) -> None:
    for said in read(text):
        kind = BY_NAME[said.kind]
        assert not kind.command and kind.number in GUEST_KINDS
        assert set(said.fields) <= set(kind.keys.values())


def test_the_chatter_of_simulated_radios_calls_for_nobody() -> None:
    """Or a demonstration has alarms that nobody planned."""
    assert not [said for word in WORDS for said in read(word) if said.kind == "sos"]


@given(
    st.lists(
        st.sampled_from([*"到安红黄绿黑缺失联收解除 十二两0123456789,。", "sos", "par", "missing", "red "]), max_size=30
    )
)
def test_words_in_any_disorder(words: list[str]) -> None:
    for said in read("".join(words)):
        assert all(0 <= value < 10_000 for value in said.fields.values() if isinstance(value, int))


@pytest.mark.parametrize(
    "unit", ["r  1  ", "r 1", "红 : 1 人 + ", "par 4  ", "sos ", "help ", "缺 ,", "4 safe ", "\u3000"]
)
def test_no_line_of_a_stranger_keeps_the_reader_busy(unit: str) -> None:
    """One that read such a line in more ways than one would never come to its end."""
    for tail in ("", "x", "?", " 缺"):
        read(unit * (LONGEST // len(unit)) + tail)
        read(unit * (LONGEST // len(unit) - 1) + tail)
