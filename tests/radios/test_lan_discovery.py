"""Two nodes of one incident find each other over multicast on loopback; a node of another incident is not reported."""

from __future__ import annotations

import asyncio

from radios.lan_discovery import LanDiscovery


async def test_nodes_of_one_incident_find_each_other() -> None:
    found: dict[str, set[str]] = {"a": set(), "b": set(), "c": set()}
    nodes = [
        LanDiscovery("a", "11aa", 40001, found["a"].add, ["127.0.0.1"]),
        LanDiscovery("b", "11aa", 40002, found["b"].add, ["127.0.0.1"]),
        LanDiscovery("c", "22bb", 40003, found["c"].add, ["127.0.0.1"]),
    ]
    tasks = [asyncio.create_task(node.run()) for node in nodes]
    try:
        async with asyncio.timeout(10):
            while not (found["a"] and found["b"]):
                await asyncio.sleep(0.05)
        assert found == {"a": {"127.0.0.1:40002"}, "b": {"127.0.0.1:40001"}, "c": set()}
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
