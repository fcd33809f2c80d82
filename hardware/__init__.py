"""Ground floor: sensors, ports, device protocols, the measurement vocabulary, clocks, device simulators."""
