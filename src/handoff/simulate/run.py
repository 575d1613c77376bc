"""From a seed to conversations, one after the other, without end if need be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from random import Random

from handoff.errors import BadInput
from handoff.simulate import aftermath, clock, talk
from handoff.simulate.assistant import release_on
from handoff.simulate.catalogue import Issue, Speech, World, load_world
from handoff.simulate.desk import Handoff, hand_off
from handoff.simulate.people import Customers, History, Persona, environment
from handoff.simulate.scene import Scene
from handoff.simulate.voice import Voice
from handoff.transcript import Conversation

# Which issue comes up and whether it needs a person is read off a golden-ratio sequence rather than drawn: over any
# stretch of conversations the shares come out even, so that a small sample already escalates at the intended rate.
GOLDEN = 0.6180339887498949


def simulate(conversations: int, seed: int, start: datetime = clock.DEFAULT_START) -> Iterator[Conversation]:
    """The first `conversations` conversations of the world with this seed, oldest first, from `start` on.

    The same seed gives the same conversations; asking for more only adds to them. Raises `BadInput` for a negative
    number of conversations.
    """
    if conversations < 0:
        raise BadInput(f"cannot simulate {conversations} conversations; ask for 0 or more")
    return islice(_endless(seed, start), conversations)


def _endless(seed: int, start: datetime) -> Iterator[Conversation]:
    world = load_world()
    customers = Customers(world, seed)
    offset = Random(f"handoff/{seed}/offset").random()
    for number, starts in enumerate(clock.arrivals(Random(f"handoff/{seed}/arrivals"), start)):
        rng = Random(f"handoff/{seed}/conversation/{number}")
        yield _one(world, customers, number, starts, (offset + number * GOLDEN) % 1.0, rng)


def conversation_id(number: int) -> str:
    """The id of the conversation with that number, from 0."""
    return f"c-{number + 1:06d}"


def _one(world: World, customers: Customers, number: int, starts: datetime, draw: float, rng: Random) -> Conversation:
    likely, _ = issue_at(world.speeches["en"], draw)
    persona, history = customers.next(rng, likely, starts)
    issue, place = issue_at(world.speeches[persona.locale], draw)
    scene = _scene(world, persona, history, issue, starts, rng, needs=place < _need(issue, persona))
    known = history.customer(persona, rng)
    end = talk.talk(scene)
    handoff: Handoff | None = None
    if end == "solved":
        talk.thank(scene)
    elif end == "left":
        talk.fade(scene)
    else:
        handoff = hand_off(scene)
    ending = aftermath.settle(scene, end, handoff)
    _remember(history, scene, ending)
    return Conversation(
        conversation_id=conversation_id(number),
        messages=tuple(scene.messages),
        channel=persona.channel,
        locale=persona.locale,
        customer=known,
        environment=environment(persona, world.people, rng),
        satisfaction=ending.shown,
        satisfaction_at=ending.shown_at,
        outcome=ending.outcome,
    )


def issue_at(speech: Speech, draw: float) -> tuple[Issue, float]:
    """The issue at this place of the unit interval, cut in proportion to weights, and the place within its part."""
    total = sum(issue.record.weight for issue in speech.issues)
    at = draw * total
    for issue in speech.issues:
        if at < issue.record.weight:
            return issue, at / issue.record.weight
        at -= issue.record.weight
    return speech.issues[-1], 1.0


def _need(issue: Issue, persona: Persona) -> float:
    """The share of such issues that only a person can solve; larger accounts run into more of those."""
    return issue.record.need * (1.3 if persona.enterprise else 0.97)


def _scene(
    world: World, persona: Persona, history: History, issue: Issue, starts: datetime, rng: Random, *, needs: bool
) -> Scene:
    mood = rng.choices(world.moods, [mood.weight for mood in world.moods])[0]
    speech = world.speeches[persona.locale]
    facts = persona.facts()
    voice = Voice(rng, speech, issue, world.facts, facts)
    voice.know(lead=voice.words(mood.lead))
    return Scene(
        rng=rng,
        world=world,
        speech=speech,
        persona=persona,
        mood=mood,
        issue=issue,
        voice=voice,
        release=release_on(starts, rng),
        now=starts,
        need=needs,
        urgent=rng.random() < issue.record.urgent * (3 if needs else 1),
        previous_escalations=history.escalations,
        level=rng.gauss(0, 0.045),
        frustration=min(0.9, max(0.0, mood.frustration + rng.gauss(0, 0.06))),
        patience=min(1.0, max(0.0, persona.patience + mood.patience)),
        expression=min(1.0, max(0.0, persona.expression + mood.expression)),
    )


def _remember(history: History, scene: Scene, ending: aftermath.Ending) -> None:
    if ending.outcome.escalated:
        history.escalations += 1
    if ending.outcome.satisfaction is not None:
        history.stars += ending.outcome.satisfaction
        history.ratings += 1
    history.busy_until = scene.now + timedelta(hours=1)
