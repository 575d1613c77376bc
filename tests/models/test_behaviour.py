"""How the trained champion behaves: what must move its probability, what must not, and explanations that are true.

The model is the real one that the session trains (simulated conversations: plumbing, not quality).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import pytest

from handoff.calibration import sigmoid
from handoff.explanation import explained
from handoff.features import FEATURES, Feature, Moment, follow
from handoff.features.table import Fact, Running
from handoff.models import EscalationModel
from handoff.models.slots import WORDING_FEATURES
from handoff.signals import read
from handoff.simulate import simulate
from handoff.transcript import Conversation, Message
from tests.build import conversation

Part = dict[str, str]

# Indicators of this weight or more are to be borne out by the transcript; weaker ones drown in what else changes.
STRONG = 0.2

CALM: tuple[Part, ...] = (
    {"customer": "Hello, how do I change the colour of the chat window?"},
    {"assistant": "Open the settings, choose Appearance, and pick a colour."},
    {"customer": "I see the page, but where is the palette?"},
    {"assistant": "It is the third entry of the list on the left."},
)
TROUBLED: tuple[Part, ...] = (
    {"customer": "The export fails again, I have tried it three times today."},
    {"assistant": "I am sorry. I could not find anything about this export."},
    {"customer": "This is the same answer as before and it does not help."},
)
TALKS = {"a calm talk": CALM, "a troubled talk": TROUBLED}
BY_TALK = pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS.keys())


def probability(model: EscalationModel, talk: Sequence[Part], name: str = "Ana") -> float:
    """After the newest message."""
    parts = ({"facts": {"name": name}}, *talk)
    return after(model, conversation(*parts))


def after(model: EscalationModel, chat: Conversation) -> float:
    return float(model.probabilities([list(follow(chat))[-1]])[0])


@BY_TALK
@pytest.mark.parametrize("thanks", ["Thank you, that is all I needed.", "Thanks, that solved it!", "Great, thank you."])
def test_a_calm_thank_you_does_not_raise_it(escalation: EscalationModel, talk: tuple[Part, ...], thanks: str) -> None:
    assert probability(escalation, [*talk, {"customer": thanks}]) <= probability(escalation, talk) + 1e-9


@BY_TALK
@pytest.mark.parametrize("request_", ["I want to talk to a human.", "Can I speak to a real person, please?"])
def test_a_plain_request_for_a_human_raises_it(
    escalation: EscalationModel, talk: tuple[Part, ...], request_: str
) -> None:
    assert probability(escalation, [*talk, {"customer": request_}]) > probability(escalation, talk)


@BY_TALK
@pytest.mark.parametrize("said", ["this does not work at all", "where is my answer", "please fix the export now"])
def test_shouting_the_same_words_does_not_lower_it(
    escalation: EscalationModel, talk: tuple[Part, ...], said: str
) -> None:
    calm, loud = ([*talk, {"customer": words}] for words in (said, said.upper()))
    assert probability(escalation, loud) >= probability(escalation, calm) - 1e-9


@BY_TALK
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("My order is 48213377.", "My order is 90127745.", id="order numbers"),
        pytest.param("Write to ana@example.org.", "Write to b.kowalski@mail.example.com.", id="e-mail addresses"),
    ],
)
def test_personal_data_changes_nothing(
    escalation: EscalationModel, talk: tuple[Part, ...], one: str, other: str
) -> None:
    assert probability(escalation, [*talk, {"customer": one}]) == probability(escalation, [*talk, {"customer": other}])


@pytest.mark.parametrize("name", ["Mohammed", "Oluwaseun", "Agnieszka", "Wei", "John Smith", "Karen"])
def test_a_name_hardly_moves_it(escalation: EscalationModel, name: str) -> None:
    own, other = ([*TROUBLED, {"customer": f"My name is {n}, can you look it up?"}] for n in ("Ana", name))
    assert abs(probability(escalation, own, "Ana") - probability(escalation, other, name)) <= 0.02
    assert abs(probability(escalation, own) - probability(escalation, other)) <= 0.02, "a name that nobody told us"


ODD: dict[str, list[Part]] = {
    "a very long chat": [*CALM, *TROUBLED] * 60,
    "one-word messages": [{"customer": "hi"}, {"assistant": "Hello"}, {"customer": "refund"}, {"customer": "ok"}],
    "emoji only": [{"customer": "😡😡"}, {"assistant": "👍"}, {"customer": "🙏"}],
    "empty texts": [{"customer": ""}, {"assistant": ""}],
    "Spanish": [{"customer": "No me llega el correo de confirmación"}, {"assistant": "Lo siento mucho"}],
    "Japanese": [{"customer": "請求書が間違っています"}, {"assistant": "申し訳ありません"}],
    "Arabic": [{"customer": "لم يصل الطلب بعد"}],
    "a message of 100,000 letters": [{"customer": "a" * 100_000}],
    "half a surrogate's worth of marks": [{"customer": "\u200b\u0301?!…—"}],
}


@pytest.mark.parametrize("talk", ODD.values(), ids=ODD.keys())
def test_odd_chats_get_sane_answers(escalation: EscalationModel, talk: list[Part]) -> None:
    moments = list(follow(conversation(*talk)))
    found = escalation.probabilities(moments)
    assert np.isfinite(found).all() and ((found > 0) & (found < 1)).all()
    assert math.isfinite(sum(c.weight for c in escalation.contributions(moments[-1])))


@pytest.fixture(scope="module")
def chats() -> list[Conversation]:
    return list(simulate(60, 77))


def test_the_shown_weights_the_rest_and_the_base_are_the_log_odds(
    escalation: EscalationModel, chats: list[Conversation]
) -> None:
    for chat in chats[:20]:
        moment = list(follow(chat))[-1]
        told = explained(escalation, moment)
        shown = math.fsum(indicator.weight for indicator in told.indicators)
        assert told.base + shown + told.rest == pytest.approx(float(escalation.log_odds([moment])[0]), abs=1e-5)


def test_calibration_never_changes_the_order(escalation: EscalationModel, chats: list[Conversation]) -> None:
    moments = [moment for chat in chats for moment in follow(chat) if moment.read]
    raw, calibrated = escalation.log_odds(moments), escalation.probabilities(moments)
    assert (np.diff(calibrated[np.argsort(raw)]) >= -1e-12).all()
    assert not np.allclose(calibrated, sigmoid(raw)), "nothing was calibrated"


Mend = Callable[[Conversation], Conversation]


def mended(role: str, **fields: object) -> Mend:
    """Those fields in all messages of one side."""

    def mend(chat: Conversation) -> Conversation:
        return with_messages(
            chat, [msgspec.structs.replace(m, **fields) if m.role == role else m for m in chat.messages]
        )

    return mend


def with_messages(chat: Conversation, messages: Sequence[Message]) -> Conversation:
    return msgspec.structs.replace(chat, messages=tuple(messages), outcome=None)


def unsaid(entry: str, role: str = "customer") -> Mend:
    """The messages of one side that match a lexicon entry, empty instead."""

    def mend(chat: Conversation) -> Conversation:
        said = [m.role == role and entry in read(m.text, role, chat.locale).hits for m in chat.messages]
        kept = [msgspec.structs.replace(m, text="") if it else m for m, it in zip(chat.messages, said, strict=True)]
        return with_messages(chat, kept)

    return mend


def without_fact(name: str) -> Mend:
    return lambda chat: msgspec.structs.replace(
        chat, customer=msgspec.structs.replace(chat.facts, **{name: None}), outcome=None
    )


def without_times(chat: Conversation) -> Conversation:
    return with_messages(
        msgspec.structs.replace(chat, as_of=None), [msgspec.structs.replace(m, sent_at=None) for m in chat.messages]
    )


def calm(chat: Conversation) -> Conversation:
    """What the customer said, without a raised voice."""
    quiet = [msgspec.structs.replace(m, text=re.sub("[!?]+", ".", m.text.lower())) for m in chat.messages]
    return with_messages(chat, [q if q.role == "customer" else m for q, m in zip(quiet, chat.messages, strict=True)])


def without_rating(chat: Conversation) -> Conversation:
    return mended("customer", satisfaction=None)(msgspec.structs.replace(chat, satisfaction=None, satisfaction_at=None))


def cause_of(feature: Feature) -> Mend | None:
    """How to take what a feature reads out of the transcript; None for counts of the messages themselves, which
    cannot be taken out without another conversation."""
    signal = feature.source.signal if isinstance(feature.source, Running) else None
    if signal is not None and signal.entry is not None:
        return unsaid(signal.entry, signal.role)
    if isinstance(feature.source, Fact):
        return without_fact(feature.name)
    by_name: dict[str, Mend] = {
        "knowledge_misses": lambda chat: unsaid("found_nothing", "assistant")(
            mended("assistant", knowledge_hits=3)(chat)
        ),
        "wording_customer_newest": mended("customer", text=""),
        "wording_customer_earlier": mended("customer", text=""),
        "wording_reply_newest": mended("assistant", text=""),
        "wording_replies_earlier": mended("assistant", text=""),
        "wording_together": lambda chat: mended("customer", text="")(mended("assistant", text="")(chat)),
        "assistant_repetition_max": mended("assistant", text=""),
        "complexity_kinds": mended("customer", text=""),
    }
    by_family: dict[str, Mend] = {
        "confidence": mended("assistant", confidence=0.9),
        "sentiment": mended("customer", text=""),
        "loudness": calm,
        "repetition": mended("customer", text=""),
        "time": without_times,
        "rating": without_rating,
    }
    return by_name.get(feature.name) or by_family.get(feature.family)


def talked_until(chat: Conversation, index: int) -> Conversation:
    return msgspec.structs.replace(
        chat, messages=chat.messages[: index + 1], outcome=None, satisfaction=None, satisfaction_at=None, as_of=None
    )


def borne_out(model: EscalationModel, chats: Sequence[Conversation]) -> Iterator[tuple[str, str, bool]]:
    """Of every third message: its strongest indicator, its place, and whether the probability falls without the
    indicator's cause, where that can be taken out of the transcript."""
    by_name = {feature.name: feature for feature in (*FEATURES, *WORDING_FEATURES)}
    for chat in chats:
        for moment in [m for m in follow(chat) if m.read and m.owner == "assistant"][2::3]:
            top = next(iter(explained(model, moment).indicators), None)
            mend = cause_of(by_name[top.feature]) if top is not None and top.weight >= STRONG else None
            if top is not None and mend is not None:
                known = talked_until(chat, moment.index)
                falls = after(model, mend(known)) < after(model, known)
                yield top.feature, f"{chat.conversation_id}, message {moment.index}: {top.says}", falls


def test_without_the_cause_of_its_top_indicator_the_probability_falls(escalation: EscalationModel) -> None:
    """Always, where the cause is one thing. With a wording, all that the lexicon finds in the same texts goes too,
    what calmed as well as what alarmed: there, mostly."""
    found = list(borne_out(escalation, list(simulate(200, 78))))
    wordings = [falls for feature, _, falls in found if feature.startswith("wording")]
    others = [(feature, place, falls) for feature, place, falls in found if not feature.startswith("wording")]
    assert [place for _, place, falls in others if not falls] == []
    assert len(others) >= 60 and len({feature for feature, _, _ in others}) >= 5
    assert np.mean(wordings) >= 2 / 3, f"{sum(wordings)} of {len(wordings)}"


def test_a_moment_remembers_texts_only_of_its_episode(escalation: EscalationModel) -> None:
    """A hand-back starts anew: what was said before must not be heard in the wording."""
    talk = conversation(
        {"customer": "I want to talk to a human"},
        {"agent": "I am here", "event": "accepted"},
        {"agent": "Done", "event": "handed_back"},
        {"customer": "How do I change the colour?"},
    )
    newest: Moment = list(follow(talk))[-1]
    assert [said.text for said in newest.recent] == ["How do I change the colour?"]
    fresh = conversation({"customer": "How do I change the colour?"})
    wording = [name.startswith("wording") for name in escalation.manifest.features]
    seen = escalation.inputs([newest, list(follow(fresh))[-1]])[:, wording]
    assert seen[0].tolist() == seen[1].tolist()
