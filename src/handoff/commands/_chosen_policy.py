"""The policy of the cuts that `handoff evaluate --costs` chose, written where they pay."""

from __future__ import annotations

from pathlib import Path

import msgspec

from handoff.analytics.cost_report import CHOSEN, IN_USE, CostReport
from handoff.commands._console import stderr
from handoff.commands._early_view import with_interval
from handoff.errors import BadPolicy
from handoff.policy import Policy
from handoff.policy.write import write_policy


class ToWrite(msgspec.Struct, frozen=True):
    """Where to write the policy in use with other cuts, and what its first comment says.

    `current` is the folder in use, whose teams and messages come along; `force` writes cuts that cost more, too.
    """

    folder: Path
    policy: Policy
    says: str
    current: Path | None
    force: bool


def write_chosen(wanted: ToWrite, costs: CostReport) -> None:
    """Write the chosen cuts, and say where and what they cost.

    Raises `BadPolicy` where they cost more than those in use, unless forced or asked to keep to a capacity: to keep
    to it costs what it costs. Where it is not clear whether they cost less, a warning says so.
    """
    more, bill = costs.difference, _bill(costs)
    dearer = more.value is not None and more.value > 0
    if dearer and not wanted.force and costs.capacity is None:
        raise BadPolicy(
            f"{wanted.folder}: not written, since the chosen cuts cost more than those in use: {bill}; choose on more "
            "conversations or by other prices (--costs), or pass --force"
        )
    says = f"{wanted.says}\n{bill[0].upper()}{bill[1:]}."
    written = write_policy(wanted.folder, wanted.policy, costs.chosen, says, wanted.current)
    if dearer:
        stderr.print(f"Mind that the chosen cuts cost more than those in use: {bill}", markup=False, style="yellow")
    elif more.high is None or more.high >= 0:
        unsure = "nothing shows that the chosen cuts cost less than those in use"
        stderr.print(f"Mind that {unsure}: {bill}", markup=False, style="yellow")
    else:
        stderr.print(f"The chosen cuts cost less than those in use: {bill}", markup=False)
    stderr.print(f"Written: {written}; HANDOFF_POLICY={wanted.folder} serves by it", markup=False)


def _bill(costs: CostReport) -> str:
    before, after = (with_interval(costs.per_100(name), 1) for name in (IN_USE, CHOSEN))
    return (
        f"{after} per 100 conversations instead of {before}, a difference of "
        f"{with_interval(costs.difference, 1, '+')}, on {costs.reporting:,} they were not chosen on"
    )
