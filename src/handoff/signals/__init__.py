"""What one message says, without its history: words, lexicon hits, sentiment, shouting, questions."""

from handoff.signals.lexicon import lexicon_version
from handoff.signals.read import Reading, cache_lookups, denied, read, read_all, spanning
from handoff.signals.repetition import similarity

__all__ = ["Reading", "cache_lookups", "denied", "lexicon_version", "read", "read_all", "similarity", "spanning"]
