"""`handoff tables`: the tables of the documentation, from the code itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from handoff.commands import COMMANDS, with_commands
from handoff.commands._app import app
from handoff.commands._console import complain, console
from handoff.errors import BadInput, nearest
from handoff.files import write_atomically

_BLOCK = re.compile(r"(<!-- table: (?P<name>\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


@app.command("tables", hidden=True)
def tables_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Markdown files.", exists=True)],
    check: Annotated[bool, typer.Option("--check", help="Only look; exit status 1 if a table is out of date.")] = False,
) -> None:
    """Write the tables of commands, features, rules … into Markdown files, between their markers.

    A table stands between `<!-- table: rules -->` and `<!-- end of table -->`.

    Example: `handoff tables README.md`
    """
    stale = [file for file in files if (text := file.read_text("utf-8")) != filled(text, file.name)]
    if check and stale:
        complain(f"out of date: {', '.join(map(str, stale))}; run 'make docs'")
        raise typer.Exit(1)
    for file in stale:
        write_atomically(file, filled(file.read_text("utf-8"), file.name).encode())
    console.print(f"{len(stale)} of {len(files)} files changed")


def filled(text: str, name: str) -> str:
    """The Markdown with every table between markers as the code has it now. Raises `BadInput` for an unknown one."""

    def table(found: re.Match[str]) -> str:
        wanted = found["name"]
        if wanted not in TABLES:
            raise BadInput(f"{name}: unknown table '{wanted}'{nearest(wanted, TABLES)}")
        return f"{found[1]}\n{TABLES[wanted]()}\n\n{found[3]}"

    return _BLOCK.sub(table, text)


def commands_table() -> str:
    """Every command and what it does."""
    group = typer.main.get_command(with_commands(*COMMANDS))
    listed = group.commands.items()  # type: ignore[attr-defined]  # typer's own group, which is not exported
    rows = [(f"`handoff {name}`", _first_line(command.help)) for name, command in listed if not command.hidden]
    return _markdown(("command", "what it does"), sorted(rows))


def formats_table() -> str:
    """Every format that transcripts may come in."""
    from handoff.formats import FORMATS

    rows = ((f"`{each.name}`", each.says, ", ".join(f"`{e}`" for e in each.endings)) for each in FORMATS.values())
    return _markdown(("`--format`", "what it is", "files of a folder"), rows)


def features_table() -> str:
    """Every feature, in the order of the table that declares them."""
    from handoff.features import FEATURES

    signs = {1: "raises", -1: "lowers", 0: ""}
    rows = ((f"`{f.name}`", f.family, f.title, signs[f.direction]) for f in FEATURES)
    return _markdown(("feature", "family", "what it is", "more of it … the risk"), rows)


def rules_table() -> str:
    """Every rule that ships with the package, in the order in which it decides between equals."""
    from handoff.policy import load_policy
    from handoff.policy.decide import rule_action
    from handoff.rules import load_rules

    book = load_rules()
    policy = load_policy(rules=book)
    rows = (
        (f"`{r.id}`", r.title, r.urgency, f"`{rule_action(r, policy)}`", f"`{r.reason}`", _code(r.team))
        for r in book.rules
    )
    return _markdown(("rule", "fires when", "urgency", "action", "reason", "team"), rows)


def teams_table() -> str:
    """Every team that takes conversations over."""
    from handoff.policy import load_policy

    rows = ((f"`{team.id}`", team.title, str(team.tier)) for team in load_policy().teams)
    return _markdown(("team", "who they are", "tier"), rows)


def reasons_table() -> str:
    """Every reason of a hand-off, and what the customer is told."""
    from handoff.policy import load_policy
    from handoff.rules import REASONS

    messages = load_policy().messages
    rows = ((f"`{reason}`", title, messages[reason]) for reason, title in REASONS.items())
    return _markdown(("reason", "in words", "what the customer is told"), rows)


def quality_table() -> str:
    """The figures on public sets that have an aim, as the last run of the benchmark wrote them.

    They are read from benchmarks/quality.md in the project's folder; raises `BadInput` where it is not there.
    """
    from handoff.quality.page import quoted

    return quoted()


TABLES: dict[str, Callable[[], str]] = {
    "commands": commands_table,
    "features": features_table,
    "formats": formats_table,
    "quality": quality_table,
    "reasons": reasons_table,
    "rules": rules_table,
    "teams": teams_table,
}


def _markdown(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n\n")[0].replace("\n", " ")


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""
