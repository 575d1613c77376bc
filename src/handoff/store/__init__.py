"""What must survive: conversations by message, every decision, and what became of them, in SQLite or PostgreSQL.

store.py     `Store` and `open_store`, which is all that most callers need
live.py      answers message by message, in a time that does not depend on the conversation's length
forget.py    deletes conversations by id or age; transcripts.py and export.py write what is stored to files
database.py  connections and transactions that end within a bounded time; wal.py and watchdog.py help
tables.py    the tables, which migrate.py and migrations/ make
"""

from handoff.store.decisions import ESCALATING, DecisionRecord, decision_record
from handoff.store.facts import Facts
from handoff.store.live import LiveConversations
from handoff.store.outcomes import Feedback, Received, Recorded, Reported
from handoff.store.store import Appended, Store, open_store

__all__ = [
    "ESCALATING",
    "Appended",
    "DecisionRecord",
    "Facts",
    "Feedback",
    "LiveConversations",
    "Received",
    "Recorded",
    "Reported",
    "Store",
    "decision_record",
    "open_store",
]
