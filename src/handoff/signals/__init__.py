"""What one message says, without its history: words, lexicon hits, sentiment, shouting, questions."""

from handoff.signals.lexicon import lexicon_version
from handoff.signals.read import Reading, cache_lookups, read, spanning
from handoff.signals.repetition import similarity

__all__ = ["Reading", "cache_lookups", "lexicon_version", "read", "similarity", "spanning"]
