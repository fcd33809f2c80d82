"""Who opens whose vital signs is told; whoever opens something else is left alone."""

from __future__ import annotations

from dataclasses import replace

from tests.tui.test_screen import SCENE, FakeFeed, drive


def test_opening_a_person_with_vital_signs_is_an_access() -> None:
    feed = FakeFeed(SCENE)
    drive(feed, ["enter"])
    assert feed.said == [("access", {"subject": "R4"})]
    bare = FakeFeed(replace(SCENE, people=(replace(SCENE.people[0], readings={}),)))
    drive(bare, ["enter"])
    drive(bare, ["4", "down", "enter"])
    assert bare.said == []
