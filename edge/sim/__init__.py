"""The virtual-time simulator: many nodes with their real exchange, seals and logs, hostile links, one process, one seed, one trace."""
