"""Bearers: frames in, frames out, with a budget (MQTT, LAN, LoRa mesh, BeiDou RDSS, carried media, voice and paper, loopback)."""
