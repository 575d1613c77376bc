"""The judge that answers now, and how a newly promoted version takes its place.

Each model is on its own: one that is missing, tampered with or fails its exam leaves the other and the rules
answering, and the reason stands in `/status`. A version refused while another serves changes nothing else.
"""

from __future__ import annotations

import dataclasses
import logging
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar, get_args

import msgspec

from handoff.decision import Answer, Judge
from handoff.errors import BadModel
from handoff.explanation import Contributions
from handoff.memory import Memory
from handoff.models import load_champion
from handoff.models.champion import CHAMPION_FILE
from handoff.models.manifest import Name
from handoff.policy import load_policy
from handoff.rules import RuleBook, load_rules
from handoff.settings import Settings
from handoff.signals import cache_lookups
from handoff.standing import Standing
from handoff.together import contributions, learn, standings
from handoff.transcript import Conversation, Message
from serving.records import Component, Status, Trouble

T = TypeVar("T")
Given = ParamSpec("Given")

NAMES: tuple[Name, ...] = get_args(Name)
# Changes whenever the champion file is replaced; None while there is none.
Stamp = tuple[int, int, int] | None
_NEVER = (-1, -1, -1)
# Fewer are dearer together than one by one.
WORTH_IT = 6

# Scored by /readyz: whoever asks for a human must be answered, whatever the rules and models in use.
KNOWN = Conversation(
    conversation_id="readiness",
    messages=(
        Message(role="customer", text="My invoice is wrong. Can I talk to a human, please?", message_id="m1"),
        Message(role="assistant", text="I am not sure I can help.", message_id="m2", confidence=0.4),
        Message(role="customer", text="This is not helping.", message_id="m3"),
    ),
)

log = logging.getLogger("bentoml.handoff")


def _now() -> datetime:
    return datetime.now(UTC)


class Decided(msgspec.Struct, frozen=True):
    """An answer, where the conversation stood, and how long finding both took."""

    answer: Answer
    standing: Standing
    milliseconds: float


class Ask(NamedTuple):
    """A conversation to decide on. `read` parses it, and may refuse it."""

    read: Callable[[], Conversation]
    explain: bool = False
    request_id: str | None = None


class CurrentJudge:
    """The judge of one worker. `judge` is replaced in one step; whoever took it before finishes with it."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = _now) -> None:
        """Rules and policy are read here: `BadPolicy` when they do not hold, for nothing can decide without them."""
        rules = load_rules(settings.rules, settings.confidence)
        self.judge = Judge(rules, load_policy(settings.policy, rules))
        self._memory = Memory(rules)
        self._settings, self._clock = settings, clock
        self._started_at = clock()
        self._stamps: dict[Name, Stamp] = {}
        self._troubles: dict[Component, Trouble] = {}
        self._apart: Judge | None = None

    def refresh(self) -> bool:
        """Load each model whose champion file is another than when it was last looked at; True if there was one.

        Costs two looks at a file where nothing changed. Not to be called by two threads at once.
        """
        changed = self.changed()
        for name, stamp in changed.items():
            self._stamps[name] = stamp
            self._take(name)
        return bool(changed)

    def changed(self) -> dict[Name, Stamp]:
        """The models whose champion file is another than when it was last looked at."""
        stamps = {name: _stamp(self._settings.models / name / CHAMPION_FILE) for name in NAMES}
        return {name: stamp for name, stamp in stamps.items() if self._stamps.get(name, _NEVER) != stamp}

    def answer(self, conversation: Conversation, *, explain: bool = False, request_id: str | None = None) -> Answer:
        """The judge's answer. Should a model fail on this conversation, the rules alone answer it."""
        judge = self.judge
        return self._conclude(judge, judge.standing(conversation), explain, request_id)

    def decide(
        self,
        conversations: Iterable[Conversation],
        judge: Judge,
        *,
        explain: bool = False,
        request_id: str | None = None,
    ) -> list[Decided]:
        """One answer a conversation by this judge, with all that the decision log wants to know. All are worked on
        together."""
        started, every = time.perf_counter(), list(conversations)
        stood = self._stood(judge, every, explain)
        followed = 1_000 * (time.perf_counter() - started) / max(1, len(every))
        return [self._decided(judge, explain, request_id, standing, followed, adds) for standing, adds in stood]

    def _stood(
        self, judge: Judge, conversations: Sequence[Conversation], explain: bool
    ) -> Iterable[tuple[Standing, Contributions | None]]:
        """Where the conversations stand, and what explains their answers where that is asked for."""
        if len(conversations) >= WORTH_IT:
            try:
                found = standings(judge, conversations)
                return zip(found, contributions(judge, found) if explain else repeat(None), strict=False)
            except Exception as error:  # what a model fails on is found when it is concluded, and answered by the rules
                self._note_apart(judge, error)
        return [(judge.standing(conversation), None) for conversation in conversations]

    def decide_each(self, asks: Sequence[Ask]) -> list[Decided | Exception]:
        """One answer a request, or what is wrong with it. The conversations are remembered: when one comes again it is
        followed on from here. All are followed before the first is concluded: what one step uses stays at hand."""
        judge = self.judge
        followed = [_tried(self._follow, judge, ask) for ask in asks]
        if len(asks) > 1:
            try:
                learn(judge, [each[0] for each in followed if not isinstance(each, Exception)])
            except Exception as error:  # what a model fails on is found when it is concluded, and answered by the rules
                self._note_apart(judge, error)
        return [
            each if isinstance(each, Exception) else _tried(self._decided, judge, ask.explain, ask.request_id, *each)
            for ask, each in zip(asks, followed, strict=True)
        ]

    def _follow(self, judge: Judge, ask: Ask) -> tuple[Standing, float]:
        """Where the conversation stands, and the milliseconds that it took to find that."""
        conversation, started = ask.read(), time.perf_counter()
        standing = self._memory.standing(conversation) or judge.standing(conversation)
        return standing, 1_000 * (time.perf_counter() - started)

    @property
    def rules(self) -> RuleBook:
        """The rules, which stay the same as long as the service runs."""
        return self.judge.rules

    def conclude(self, standing: Standing, *, explain: bool = False, request_id: str | None = None) -> Answer:
        """The answer where a conversation stands. Should a model fail on it, the rules alone answer."""
        return self._conclude(self.judge, standing, explain, request_id)

    def _decided(
        self,
        judge: Judge,
        explain: bool,
        request_id: str | None,
        standing: Standing,
        followed: float,
        contributions: Contributions | None = None,
    ) -> Decided:
        """The decision; `followed` are the milliseconds that it took to find where the conversation stands."""
        started = time.perf_counter()
        answer = self._conclude(judge, standing, explain, request_id, contributions)
        return Decided(answer, standing, followed + 1_000 * (time.perf_counter() - started))

    def _conclude(
        self,
        judge: Judge,
        standing: Standing,
        explain: bool,
        request_id: str | None,
        contributions: Contributions | None = None,
    ) -> Answer:
        try:
            return judge.conclude(standing, explain=explain, request_id=request_id, contributions=contributions)
        except Exception as error:
            if judge.escalation is None and judge.routing is None:
                raise
            self._note_failure(error)
            return _without_models(judge).conclude(standing, explain=explain, request_id=request_id)

    def cache_hits(self) -> dict[str, tuple[int, int]]:
        """Hits and misses of each cache by text."""
        memory = self._memory
        return {"readings": cache_lookups(), "conversations": (memory.hits, memory.misses)}

    def is_ready(self) -> bool:
        """Whether a known conversation is answered, and by a model where one is required."""
        try:
            answer = self.answer(KNOWN)
        except Exception as error:
            self._note_failure(error)
            return False
        return answer.mode == "model_and_rules" or not self._settings.require_model

    def status(self, worker: int) -> Status:
        """How this worker is."""
        judge, now = self.judge, self._clock()
        return Status(
            mode="rules_only" if judge.escalation is None else "model_and_rules",
            versions=judge.versions,
            problems=tuple(self._troubles.values()),
            models=str(self._settings.models.absolute()),
            require_model=self._settings.require_model,
            started_at=self._started_at,
            uptime_seconds=round((now - self._started_at).total_seconds(), 3),
            worker=worker,
        )

    def _take(self, name: Name) -> None:
        try:
            model = load_champion(name, self._settings.models)
        except BadModel as error:
            self._refuse(name, str(error))
        except Exception as error:
            # A damaged file can fail in ways that its reader did not foresee; the service goes on all the same.
            log.error("%s: cannot be loaded\n%s", name, traceback.format_exc())
            self._refuse(name, f"{self._settings.models / name}: cannot be loaded ({type(error).__name__}: {error})")
        else:
            newcomer: dict[str, Any] = {name: model}
            self.judge = dataclasses.replace(self.judge, **newcomer)
            self._troubles.pop(name, None)
            self._troubles.pop("scoring", None)
            log.info("%s serves", model.label)

    def _refuse(self, name: Name, problem: str) -> None:
        model = getattr(self.judge, name)
        serving = None if model is None else str(model.label)
        self._note(name, problem, serving)
        log.warning("%s: %s; %s", name, problem, f"{serving} goes on serving" if serving else "serving without it")

    @property
    def failure(self) -> str | None:
        """How a model failed on a conversation since it was loaded."""
        trouble = self._troubles.get("scoring")
        return None if trouble is None else trouble.problem

    def note_failure_beside(self, problem: str) -> None:
        """Note how a model failed in a process beside this one, whose log nobody sees."""
        if self._note("scoring", problem, None):
            log.error("%s, in a process that works on batches", problem)

    def _note_apart(self, judge: Judge, error: Exception) -> None:
        """Several conversations could not be worked on together. Each is then answered by itself, at the old pace; that
        is said once for each judge."""
        if self._apart is not judge:
            self._apart = judge
            log.error("conversations are not answered together, but one by one: %s", _where(error))

    def _note_failure(self, error: Exception) -> None:
        problem = f"a conversation could not be scored: {_where(error)}"
        self._note("scoring", problem, None)
        log.error("%s\n%s", problem, "".join(traceback.format_tb(error.__traceback__)))

    def _note(self, part: Component, problem: str, serving: str | None) -> bool:
        """Whether this was not known."""
        known = self._troubles.get(part)
        is_new = known is None or (known.problem, known.serving) != (problem, serving)
        if is_new:
            self._troubles[part] = Trouble(part, problem, self._clock(), serving)
        return is_new


def _where(error: Exception) -> str:
    """What failed and where, without the error's own words: they may quote a customer."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {place.name}, line {place.lineno}"


def _tried(work: Callable[Given, T], *given: Given.args, **named: Given.kwargs) -> T | Exception:
    """What the work says, or what is wrong: of several that are asked together, one must not fail the others."""
    try:
        return work(*given, **named)
    except Exception as error:
        return error


def _without_models(judge: Judge) -> Judge:
    return dataclasses.replace(judge, escalation=None, routing=None)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
