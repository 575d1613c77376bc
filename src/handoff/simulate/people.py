"""Customers: who they are on paper, and how they are as people."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from handoff.simulate.catalogue import Issue, People, World
from handoff.simulate.handwriting import Hand
from handoff.transcript import Customer, Environment

# Of all conversations, the share begun by somebody who was never here before.
NEW_CUSTOMERS = 0.5

LOCALES = {"en": 0.92, "es": 0.025, "de": 0.02, "fr": 0.02, "pt": 0.015}
CHANNELS = {"web": 0.62, "mobile": 0.24, "email": 0.14}

# The id of a customer: the seed of their world, and their number in it.
CUSTOMER_ID = re.compile(r"u-(?P<seed>-?\d+)-\d{5,}")


def customer_id(seed: int, number: int) -> str:
    """The id of the customer with that number, from 0."""
    return f"u-{seed}-{number + 1:05d}"


@dataclass(frozen=True, slots=True)
class Persona:
    """What does not change about a customer.

    `patience`: how much they put up with. `directness`: whether they ask for what they want, a person included,
    or go quiet. `expression`: how much of their feelings shows in what they write. All 0 to 1.
    """

    customer_id: str
    name: str
    email: str
    company: str
    site: str
    locale: str
    region: str
    plan: str
    vip: bool
    enterprise: bool
    past_due: bool
    account_value_usd: float | None
    channel: str
    browser: str
    system: str
    patience: float
    directness: float
    expression: float
    hand: Hand

    def facts(self) -> dict[str, str]:
        """What they may mention about themselves."""
        return {
            "name": self.name,
            "first_name": self.name.split()[0],
            "email": self.email,
            "company": self.company,
            "site": self.site,
            "browser": self.browser,
            "os": self.system,
            "plan": self.plan,
        }


@dataclass(slots=True)
class History:
    """What a customer went through so far, as known when the next conversation starts."""

    escalations: int = 0
    stars: float = 0.0
    ratings: int = 0
    busy_until: datetime | None = None

    def customer(self, persona: Persona, rng: Random) -> Customer:
        """The account facts that come with a conversation; now and then the backend does not send one of them."""
        return Customer(
            customer_id=persona.customer_id,
            name=None if rng.random() < 0.06 else persona.name,
            plan=persona.plan,
            vip=persona.vip,
            enterprise=persona.enterprise,
            past_due=persona.past_due,
            region=None if rng.random() < 0.05 else persona.region,
            previous_escalations=self.escalations,
            account_value_usd=persona.account_value_usd,
            satisfaction_average=round(self.stars / self.ratings, 1) if self.ratings else None,
        )


@dataclass(slots=True)
class Customers:
    """The pool of customers: grows with the conversations, so that about half of them come from known people."""

    world: World
    seed: int
    personas: list[Persona] = field(default_factory=list)
    histories: list[History] = field(default_factory=list)

    def next(self, rng: Random, issue: Issue | None, starts: datetime) -> tuple[Persona, History]:
        """Who starts a conversation now: somebody new, or somebody known who is not in another chat."""
        if self.personas and rng.random() > NEW_CUSTOMERS:
            for _ in range(4):
                index = rng.randrange(len(self.personas))
                busy_until = self.histories[index].busy_until
                if (busy_until is None or busy_until < starts) and _fits(self.personas[index], issue, rng):
                    return self.personas[index], self.histories[index]
        return self._newcomer()

    def _newcomer(self) -> tuple[Persona, History]:
        number = len(self.personas)
        rng = Random(f"handoff/{self.seed}/customer/{number}")
        self.personas.append(draw_persona(rng, customer_id(self.seed, number), self.world))
        self.histories.append(_earlier(rng))
        return self.personas[-1], self.histories[-1]


def _fits(persona: Persona, issue: Issue | None, rng: Random) -> bool:
    """Some issues are brought up mostly by some customers: reminders by those who are past due."""
    prefers = issue.record.prefers if issue else None
    return prefers is None or bool(getattr(persona, prefers)) or rng.random() < 0.3


def _earlier(rng: Random) -> History:
    """What happened before the simulation began: half have rated something, few were escalated."""
    history = History(escalations=rng.choices((0, 1, 2, 3), (90, 7, 2, 1))[0])
    if rng.random() < 0.5:
        history.ratings = rng.randrange(1, 8)
        history.stars = history.ratings * min(5.0, max(1.0, rng.gauss(4.3 - 0.3 * history.escalations, 0.6)))
    return history


def draw_persona(rng: Random, customer_id: str, world: World) -> Persona:
    """A customer, drawn from the people of the world."""
    people = world.people
    locale = pick(rng, LOCALES)
    plan = pick(rng, {name: weight for name, (weight, _, _) in people.plans.items()})
    enterprise, channel = plan == "enterprise", pick(rng, CHANNELS)
    first, last = rng.choice(people.first_names[locale]), rng.choice(people.last_names[locale])
    company, domain = rng.choice(people.companies), rng.choice(people.domains)
    return Persona(
        customer_id=customer_id,
        name=f"{first} {last}",
        email=f"{_plain(first)}@{_plain(company)}{domain}",
        company=company,
        site=f"{_plain(company)}{domain}",
        locale=locale,
        region=pick(rng, people.regions[locale]),
        plan=plan,
        vip=rng.random() < (0.15 if plan in ("business", "enterprise") else 0.01),
        enterprise=enterprise,
        past_due=rng.random() < 0.05,
        account_value_usd=_value(people, plan, rng),
        channel=channel,
        browser=digitless(rng, people.mobiles if channel == "mobile" else people.browsers),
        system=rng.choice(("iOS", "Android") if channel == "mobile" else people.systems),
        patience=rng.betavariate(3, 2),
        directness=rng.betavariate(2, 2),
        expression=rng.betavariate(2, 2.5),
        hand=Hand.draw(rng, phone=channel == "mobile", formal=channel == "email" or enterprise),
    )


def environment(persona: Persona, people: People, rng: Random) -> Environment | None:
    """Browser, system and site as the widget reports them; e-mails report nothing."""
    if persona.channel == "email" or rng.random() < 0.05:
        return None
    return Environment(browser=persona.browser, os=persona.system, site=rng.choice(people.sites))


def pick(rng: Random, weights: dict[str, float]) -> str:
    """One of the names, in proportion to its weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


def digitless(rng: Random, names: Sequence[str]) -> str:
    """A browser name with a version near the current one, "Firefox 140"."""
    name = rng.choice(names)
    return name.replace("#", str(rng.randrange(5, 10))).replace("^", str(rng.randrange(1, 10)))


def _value(people: People, plan: str, rng: Random) -> float | None:
    """Dollars a year, between the plan's limits; unknown for a few."""
    if rng.random() < 0.04:
        return None
    _, low, high = people.plans[plan]
    return float(round(rng.uniform(low, high) / 12) * 12)


def _plain(name: str) -> str:
    """The name as it stands in an address: no accents, spaces or capitals."""
    letters = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return "".join(c for c in letters if c.isalnum())
