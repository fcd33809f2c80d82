"""Replication: records, blocks, codecs, sealing, have-lists, ledger, scheduler, the exchange between nodes."""
