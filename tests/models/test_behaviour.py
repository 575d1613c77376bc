"""How the trained champion behaves: what must move its probability, what must not, and explanations that are true.

The model is the real one that the session trains (simulated conversations: plumbing, not quality).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from handoff.calibration import sigmoid
from handoff.decision import explained
from handoff.features import Moment, follow
from handoff.models import EscalationModel
from handoff.simulate import simulate
from handoff.transcript import Conversation
from tests.build import conversation

Part = dict[str, str]

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


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(CALM, id="a calm talk"),
        pytest.param(
            TROUBLED,
            id="a troubled talk",
            marks=pytest.mark.xfail(
                reason="known fault: the request's neutral tone takes off more than its words add (.523 to .513)"
            ),
        ),
    ],
)
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


# What a customer's message must match for the feature to count it: its cause in the transcript.
CAUSES = {
    "knowledge_misses": lambda message: msgspec.structs.replace(message, knowledge_hits=3, text="Here is how."),
    "confidence_min": lambda message: msgspec.structs.replace(message, confidence=0.9),
    "confidence_last": lambda message: msgspec.structs.replace(message, confidence=0.9),
    "confidence_mean": lambda message: msgspec.structs.replace(message, confidence=0.9),
    "confidence_fall": lambda message: msgspec.structs.replace(message, confidence=0.9),
    "confidence_low_streak": lambda message: msgspec.structs.replace(message, confidence=0.9),
    "confidence_low_streak_longest": lambda message: msgspec.structs.replace(message, confidence=0.9),
    "wording_reply_newest": lambda message: msgspec.structs.replace(message, text=""),
}


def without_cause(chat: Conversation, feature: str) -> Conversation:
    """The conversation with the assistant's replies mended where they caused the feature."""
    mend = CAUSES[feature]
    return msgspec.structs.replace(
        chat, messages=tuple(mend(m) if m.role == "assistant" else m for m in chat.messages), outcome=None
    )


def talked_until(chat: Conversation, index: int) -> Conversation:
    return msgspec.structs.replace(
        chat, messages=chat.messages[: index + 1], outcome=None, satisfaction=None, satisfaction_at=None, as_of=None
    )


def test_without_the_cause_of_its_top_indicator_the_probability_falls(
    escalation: EscalationModel, chats: list[Conversation]
) -> None:
    """Only where the assistant's replies are the cause: they can be mended without changing what the customer said."""
    tried = 0
    for chat in chats:
        moments = [m for m in follow(chat) if m.read and m.owner == "assistant"]
        for moment in moments[3::4]:
            top = next(iter(explained(escalation, moment).indicators), None)
            if top is None or top.feature not in CAUSES or top.weight < 0.2:
                continue
            known = talked_until(chat, moment.index)
            assert after(escalation, without_cause(known, top.feature)) < after(escalation, known), (
                f"{chat.conversation_id}, message {moment.index}: {top.says}"
            )
            tried += 1
    assert tried >= 10


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
