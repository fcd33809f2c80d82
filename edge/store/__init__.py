"""The local store: the truth of a node, in one SQLite file with one writer."""
