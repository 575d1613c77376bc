"""Where a conversation stands right after a message: all that an answer is made from, kept up message by message."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from handoff.features import Moment
from handoff.models import EscalationModel
from handoff.policy.trigger import WINDOW
from handoff.rules import Fired, RuleBook, Watch, name_facts
from handoff.transcript import Conversation, Customer

# The model's probability right after a message, by the message's index.
Probabilities = dict[int, float]


class Scores:
    """Probabilities that a model has given to moments of one conversation, so that only new ones are scored."""

    __slots__ = ("_found", "_model")

    def __init__(self) -> None:
        self._model: EscalationModel | None = None
        self._found: Probabilities = {}

    def by(self, model: EscalationModel, moments: Sequence[Moment], others: Sequence[Moment] = ()) -> Probabilities:
        """The model's probabilities right after `moments`, by index, and right after those of `others` that it has
        scored before; of any more nothing is remembered."""
        found = self._found if self._model is model else {}
        new = [moment for moment in moments if moment.index not in found]
        told = zip(new, model.probabilities(new), strict=True) if new else ()
        found = found | {moment.index: float(p) for moment, p in told}
        wanted = (*moments, *others)
        return self.note(model, {moment.index: found[moment.index] for moment in wanted if moment.index in found})

    def note(self, model: EscalationModel, found: Probabilities) -> Probabilities:
        """Remember these, and no others."""
        self._model, self._found = model, found
        return found


class Standing(msgspec.Struct, frozen=True):
    """Where a conversation stands right after its newest message: all that an answer is made from.

    `before` is the newest customer message before it in the same episode, which the trend compares with. `recent` are
    the newest messages (up to `WINDOW`) that were read in the episode, or since a hand-off was declined in it, which
    raise alarms; `moment` is the last of them if it was read. `scores` remembers what a model said of them; another
    model may go on.
    """

    conversation_id: str
    customer: Customer
    moment: Moment
    fired: tuple[Fired, ...]
    before: Moment | None
    recent: tuple[Moment, ...] = ()
    scores: Scores = msgspec.field(default_factory=Scores)

    @property
    def characters(self) -> int:
        """Of all texts that are held by it, at most: some are counted twice."""
        first = self.recent[0] if self.recent else self.moment
        texts = [moment.message.text for moment in (*self.recent, self.moment)]
        return sum(map(len, (*texts, *first.customer_texts, *[message.text for message in first.recent])))


class Progress:
    """A conversation on its way, fed one `Moment` after another. Constant time and room a message."""

    __slots__ = ("_conversation_id", "_customer", "_customer_before", "_episode", "_recent", "_scores", "_watch")

    def __init__(self, rules: RuleBook, conversation: Conversation) -> None:
        """Of `conversation` only what is known beside its messages is read."""
        self._conversation_id, self._customer = conversation.conversation_id, conversation.facts
        self._watch = Watch(rules, name_facts(conversation))
        self._customer_before: Moment | None = None
        self._episode = 0
        self._recent: tuple[Moment, ...] = ()
        self._scores = Scores()

    def step(self, moment: Moment) -> Standing:
        """Take in the next moment."""
        before = self._customer_before
        if before is not None and before.episode != moment.episode:
            before = None
        if moment.read and moment.message.role == "customer":
            self._customer_before = moment
        self._remember(moment)
        fired = self._watch.step(moment)
        return Standing(self._conversation_id, self._customer, moment, fired, before, self._recent, self._scores)

    def _remember(self, moment: Moment) -> None:
        """A hand-off that was declined silences the model too, until there is new evidence."""
        if moment.episode != self._episode or moment.message.event == "declined":
            self._episode, self._recent = moment.episode, ()
        if moment.read and moment.message.event != "declined":
            self._recent = (*self._recent, moment)[-WINDOW:]


def compared_moments(newest: Moment, before: Moment | None, recent: Sequence[Moment]) -> list[Moment]:
    """The moments whose probabilities every answer needs: the newest, the one of the trend, and the last that may raise
    an alarm, which is another than the newest where that is not read. Each once."""
    compared = (newest, *recent[-1:], *(() if before is None else (before,)))
    return list({moment.index: moment for moment in compared}.values())
