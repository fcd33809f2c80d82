"""Cards say how true a place is: nothing when exact, the class and its metres else."""

from __future__ import annotations

import pytest

from sync.records import Truth
from tui.cards import person_card
from tui.scene import PersonRow
from tui.symbols import SETS
from tui.words import Words


@pytest.mark.parametrize(
    ("truth", "within_m", "zh", "en"),
    [
        (Truth.EXACT, 0, "33.52000 107.98000", "33.52000 107.98000"),
        (Truth.BOUNDED, 25, "33.52000 107.98000  限差航迹 ≤25 m", "33.52000 107.98000  bounded track ≤25 m"),
        (Truth.LIVE, 14, "33.52000 107.98000  态势 ≤14 m", "33.52000 107.98000  live picture ≤14 m"),
    ],
)
def test_a_place_names_its_class(truth: Truth, within_m: int, zh: str, en: str) -> None:
    person = PersonRow("P1", "李", {}, 12.0, place=(33.52, 107.98), truth=truth, within_m=within_m)
    for language, shown in (("zh", zh), ("en", en)):
        words = Words(language)
        assert (words("place"), shown) in person_card(person, words, SETS["full"]).lines
