"""Teams, messages and cuts hold together; routing follows rules, then the model, then general support."""

from __future__ import annotations

from pathlib import Path

import pytest

from handoff.errors import BadPolicy
from handoff.policy import TriggerSettings, decide, load_policy, route
from handoff.rules import REASONS, Fired, load_rules
from handoff.transcript import Customer

BOOK = load_rules()
POLICY = load_policy(rules=BOOK)
NOBODY = Customer()


def fired(*ids: str) -> tuple[Fired, ...]:
    return tuple(Fired(BOOK[rule_id], "m1", BOOK[rule_id].title) for rule_id in ids)


def routed(*ids: str, customer: Customer = NOBODY, probability: float | None = 0.1, **probabilities: float):  # type: ignore[no-untyped-def]
    held = fired(*ids)
    return route(decide(probability, held, "assistant", POLICY), held, customer, POLICY, probabilities, 0.5)


TEAMS = [
    ("a dispute goes to billing, whatever the model says", ("dispute_or_refund",), {"technical": 0.9}, ("billing", True, 2)),
    ("an outage to technical leads", ("outage",), {"billing": 0.9}, ("technical", True, 3)),
    ("an enterprise outage to the top", ("enterprise_outage", "outage", "account_enterprise"), {}, ("technical", True, 4)),
    ("a VIP to their account managers", ("account_vip",), {"technical": 0.9}, ("customer_success", True, 2)),
    ("an enterprise account to seniors", ("account_enterprise",), {"technical": 0.9}, ("senior", True, 3)),
    ("a sure model decides otherwise", ("asks_for_human",), {"sales": 0.7, "billing": 0.3}, ("sales", True, 2)),
    ("an unsure one leaves it to general support", ("asks_for_human",), {"sales": 0.4, "billing": 0.3}, ("general", False, 1)),
    ("so does a missing one", ("asks_for_human",), {}, ("general", False, 1)),
    ("a team that the file does not list is not sent anyone", ("asks_for_human",), {"space": 0.9}, ("general", False, 1)),
    ("a manager is asked for at tier three", ("asks_for_manager",), {"billing": 0.9}, ("billing", True, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "probabilities", "expected"), [t[1:] for t in TEAMS], ids=[t[0] for t in TEAMS])
def test_team(rules: tuple[str, ...], probabilities: dict[str, float], expected: tuple[str, bool, int]) -> None:
    routing = routed(*rules, **probabilities)
    assert (routing.team, routing.certain, routing.tier) == expected
    assert routing.says


PRIORITIES = [
    ("nothing to do is low", (), NOBODY, "low"),
    ("scheduled is normal", ("long_conversation",), NOBODY, "normal"),
    ("rapid is high", ("asks_for_human",), NOBODY, "high"),
    ("immediate is urgent", ("outage",), NOBODY, "urgent"),
    ("a VIP moves up", ("asks_for_human",), Customer(vip=True), "urgent"),
    ("a calm VIP does not", (), Customer(vip=True), "low"),
]


@pytest.mark.parametrize(("rules", "customer", "expected"), [p[1:] for p in PRIORITIES], ids=[p[0] for p in PRIORITIES])
def test_priority(rules: tuple[str, ...], customer: Customer, expected: str) -> None:
    assert routed(*rules, customer=customer).priority == expected


def test_every_reason_has_a_message_that_names_no_wait() -> None:
    assert set(POLICY.messages) == set(REASONS)
    for text in POLICY.messages.values():
        assert not any(word in text.lower() for word in ("minute", "second", "hour", "wait"))


BROKEN = [
    ("falling cuts", "policy.yaml", "monitor: 0.30", "monitor: 0.70", "policy.yaml, cuts"),
    ("a cut that is no number", "policy.yaml", "monitor: 0.30", "monitor: .nan", "policy.yaml, cuts"),
    ("a band that is no number", "policy.yaml", "trend_band: ", "trend_band: .nan  # ", "trend_band"),
    ("an unknown field", "policy.yaml", "trend_band", "trend_bend", "policy.yaml"),
    ("a row of no messages", "policy.yaml", "in_a_row: 2", "in_a_row: 0", "trigger.in_a_row"),
    ("a row longer than is looked at", "policy.yaml", "in_a_row: 2", "in_a_row: 17", "trigger.in_a_row"),
    ("a fall that rises", "policy.yaml", "fall_back: 0.10", "fall_back: -0.10", "trigger.fall_back"),
    ("a message for no reason", "messages.yaml", "sales:", "seles:", "unknown reason 'seles'; did you mean 'sales'?"),
    ("a missing message", "messages.yaml", 'sales: "One', 'sales: ""  # "One', "no text for 'sales'"),
    (
        "a team that rules name is gone",
        "teams.yaml",
        "id: billing",
        "id: biling",
        "unknown team 'billing'; did you mean 'biling'?",
    ),
    ("no fallback", "teams.yaml", "id: general", "id: all", "no team 'general'"),
]


def test_a_policy_that_is_not_there_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(BadPolicy, match="no such folder"):
        load_policy(tmp_path / "nowhere", BOOK)


@pytest.mark.parametrize(("file", "right", "wrong", "message"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_a_policy_that_does_not_hold_together_is_refused(
    tmp_path: Path, file: str, right: str, wrong: str, message: str
) -> None:
    from importlib import resources

    text = resources.files("handoff.policy").joinpath(file).read_text("utf-8")
    assert right in text
    (tmp_path / file).write_text(text.replace(right, wrong, 1), "utf-8")
    with pytest.raises(BadPolicy) as caught:
        load_policy(tmp_path, BOOK)
    assert message in str(caught.value)


def test_a_policy_folder_may_hold_only_what_differs(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        "cuts: {monitor: 0.2, prepare_specialist: 0.4, proactive_escalation: 0.5, escalate_now: 0.6}\n"
        "within_seconds: {immediate: 0, rapid: 60, scheduled: 600}\n"
        "only_prepare: []\ntrend_band: 0.1\nrouting_cut: 0.5\n",
        "utf-8",
    )
    policy = load_policy(tmp_path, BOOK)
    assert policy.cuts.escalate_now == 0.6
    assert policy.teams == POLICY.teams
    assert policy.version != POLICY.version
    assert policy.trigger == POLICY.trigger == TriggerSettings()
