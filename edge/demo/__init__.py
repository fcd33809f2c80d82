"""The demonstration: real processes, simulated devices, links that go up and down, and a count of what arrived."""
