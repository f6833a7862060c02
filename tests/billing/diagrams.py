"""The diagrams of docs/architecture.md, drawn from the code.

    python -m tests.billing.diagrams     # brings the page up to date

What may follow what is found by trying it (`tests.billing.exploring`); who performs a command, and who takes what came
of it, stand in the tables of `workflows.performing` and `billing.machine`.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from perennial_billing.billing import machine
from perennial_billing.billing.agenda import main_command
from perennial_billing.billing.dunning.reasons import TIMED_OUT
from perennial_billing.billing.protocol.commands import Command, CreateCharge, Elapse, ReadCharge, Timer
from perennial_billing.billing.subscription import Subscription
from perennial_billing.workflows.names import amounts_queue, call_queue
from perennial_billing.workflows.performing import PERFORMANCES
from tests.billing.exploring import (
    AFTER_HARD,
    DECLINES,
    NO_ANSWER,
    SIGNAL,
    USED_UP,
    Cause,
    Step,
    ways_beside_collecting,
    ways_of_collecting,
)

PAGE: Final = Path(__file__).parents[2] / "docs" / "architecture.md"

_OUTSIDE: Final = "[*]"
_ANSWER: Final = "answer"
_SEVERAL: Final = 3
"""What leads to the same from so many stages is drawn once."""

_WIDTH: Final = 26
_END: Final = "\n```\n"

Edges = dict[tuple[str, str], list[str]]
"""By where they begin and end: what leads along them."""


def with_diagrams(page: str) -> str:
    """The page with its diagrams as the code gives them.

    Raises:
        ValueError: it has no place for one.
    """
    for name, draw in {"stages": stages_of_a_collection, "journey": journey_of_a_period}.items():
        begins = page.index(f"<!-- {name}: ")
        ends = page.index(_END, begins) + len(_END)
        drawing = f"<!-- {name}: made by `python -m tests.billing.diagrams` -->\n\n```mermaid\n{draw()}{_END}"
        page = page[:begins] + drawing + page[ends:]
    return page


# The stages of a collection


def stages_of_a_collection() -> str:
    """Where an owed period may stand, and what leads from one stage to the next."""
    steps = ways_of_collecting()
    charged = {_where(step.before) for step in steps if step.cause in {CreateCharge, ReadCharge}}
    edges, several = _drawn_once(_edges(steps), charged)
    names = dict.fromkeys(_where(state) for step in steps for state in (step.before, step.after))
    return "\n    ".join(
        [
            "stateDiagram-v2",
            *(f'state "{_described(name, steps)}" as {name}' for name in names if name != _OUTSIDE),
            *(f'state "any of<br/>{_lines(", ".join(of))}" as {name}' for name, of in several.items()),
            f"state {_ANSWER} <<choice>>",
            *(f"{before} --> {after}: {_label(whats)}" for (before, after), whats in edges.items()),
            *(f"{name} --> {_ANSWER}" for name in names if name in charged),
        ]
    )


def _edges(steps: Iterable[Step]) -> Edges:
    found: Edges = {}
    for step in steps:
        edge = (_where(step.before), _where(step.after))
        if edge[0] != edge[1]:
            found.setdefault(edge, []).append(step.what)
    return {edge: list(_without_repetition(whats)) for edge, whats in found.items()}


def _where(subscription: Subscription) -> str:
    """The stage of the first period, or how it was settled."""
    record = subscription.ledger.record(0)
    if record is not None:
        return record.outcome.value
    return type(subscription.collection.stage).__name__ if subscription.collection else _OUTSIDE


def _described(name: str, steps: Iterable[Step]) -> str:
    """A stage, with what is done there; or how the period was settled."""
    stood = [(step.before, step.before.collection) for step in steps if _where(step.before) == name]
    if not stood:
        return f"settled: {name}"
    commands = ((owed and owed.next_command) or main_command(state) for state, owed in stood)
    command = next((each for each in commands if each is not None), None)
    return name if command is None else f"{name}<br/>({_name(_cause(command))})"


def _drawn_once(edges: Edges, charged: set[str]) -> tuple[Edges, dict[str, list[str]]]:
    """What leads from several stages to the same one leaves from one point; with the stages that such points stand for.

    One of the points is the answer to a charge, in whichever of the stages in which one is awaited.
    """
    sources: dict[tuple[str, str], list[str]] = {}
    for (before, after), whats in edges.items():
        for what in whats:
            sources.setdefault((after, what), []).append(before)
    points: dict[tuple[str, ...], str] = {}
    drawn: Edges = {}
    for (before, after), whats in edges.items():
        for what in whats:
            of, point = sources[after, what], before
            answered = charged - {after} <= set(of)
            if answered and before in charged:
                point = _ANSWER
            elif not answered and len(of) >= _SEVERAL:
                point = points.setdefault(tuple(of), f"any{len(points) + 1}")
            along = drawn.setdefault((point, after), [])
            if what not in along:
                along.append(what)
    return drawn, {name: list(of) for of, name in points.items()}


def _without_repetition(whats: Iterable[str]) -> Iterator[str]:
    """Without a signal, or a used-up policy, where the same follows without; how one learns of a closed permission does
    not matter."""
    known = dict.fromkeys(what.removeprefix(SIGNAL) if "closed" in what else what for what in whats)
    for what in known:
        plain = what.removeprefix(SIGNAL).removesuffix(USED_UP)
        shorter = [plain, plain + USED_UP, SIGNAL + plain]
        if what.endswith(USED_UP):
            shorter.append(what.replace(AFTER_HARD, ""))
        if not any(other in known and len(other) < len(what) for other in shorter):
            yield what


def _label(whats: Sequence[str]) -> str:
    declines = {*DECLINES.values(), TIMED_OUT}
    if declines <= set(whats):
        whats = [*(what for what in whats if what not in declines), "any decline"]
    in_time = [what for what in whats if not what.endswith(USED_UP)]
    used_up = [what.removesuffix(USED_UP) for what in whats if what.endswith(USED_UP)]
    return _lines(", ".join([*in_time, *([f"used up + {' or '.join(used_up)}"] if used_up else [])]))


# A period's journey


def journey_of_a_period() -> str:
    """Who performs each command, who takes what came of it, and what that settles and tells."""
    told = _told([*ways_of_collecting(), *ways_beside_collecting()])
    causes: list[str] = []
    takers: dict[str, str] = {}
    for cause, taker, answer in _takers():
        name = taker.__name__
        takers[name] = f'{name}["{taker.__module__.removeprefix("perennial_billing.billing.")}<br/>{name}"]'
        arrow = f"-->|{answer}|" if answer else "-->"
        causes.append(f"{_name(cause).replace(' ', '_')}{_box(cause)} {arrow} {name}")
    results = (f'{name} --> {name}_results>"{told[name]}"]' for name in takers if name in told)
    spacing = '%%{init: {"flowchart": {"nodeSpacing": 14}}}%%'
    return "\n    ".join([f"{spacing}\nflowchart LR", *takers.values(), *causes, *results])


def _takers() -> Iterator[tuple[Cause, Callable[..., Any], str]]:  # Any: the functions take events of their own
    """Each timer and command, the function that takes what came of it, and the kind of answer."""
    for timer, follow in machine._AFTER_TIMER.items():
        yield timer, follow, ""
    for command, (answer, take) in machine._AFTER_ANSWER.items():
        yield command, _itself(take), answer.__name__


def _itself(take: Callable[..., Any]) -> Callable[..., Any]:  # Any: as above
    """A function; of a lambda that leaves an argument out, the one that it calls."""
    if take.__name__ != "<lambda>":
        return take
    (called,) = filter(inspect.isfunction, inspect.getclosurevars(take).globals.values())
    return called


def _told(steps: Iterable[Step]) -> dict[str, str]:
    """By functions, what they were seen to settle and tell."""
    of = {cause: taker.__name__ for cause, taker, _ in _takers()}
    settles: dict[str, set[str]] = {}
    tells: dict[str, set[str]] = {}
    for step in steps:
        if step.cause is None or step.what == NO_ANSWER:
            continue
        name, before, after = of[step.cause], step.before, step.after
        known = {(record.period, record.outcome) for record in before.ledger.records}
        new = {(record.period, record.outcome) for record in after.ledger.records} - known
        settles.setdefault(name, set()).update(outcome.value for _, outcome in new)
        tells.setdefault(name, set()).update(
            notice.type.value for notice in after.outbox.notices if notice.number > before.outbox.told
        )
    results = {
        name: "<br/>".join(
            f"{verb} {_lines(', '.join(sorted(found[name])))}"
            for verb, found in (("settles", settles), ("tells", tells))
            if found[name]
        )
        for name in settles
    }
    return {name: text for name, text in results.items() if text}


def _box(cause: Cause) -> str:
    """A timer, or a command with what performs it, on which queue."""
    if isinstance(cause, Timer):
        return f'(["{_name(cause)}"])'
    how = PERFORMANCES.get(cause) if cause else None
    if how is None:
        return f'["{_name(cause)}<br/>starts a workflow"]'
    queue = amounts_queue("…") if how.call is None else call_queue("…", how.call)
    return f'["{_name(cause)}<br/>{how.activity.__name__}<br/>on {queue}"]'


def _cause(command: Command) -> Cause:
    return command.timer if isinstance(command, Elapse) else type(command)


def _name(cause: Cause) -> str:
    if isinstance(cause, Timer):
        return f"timer {cause.value}"
    return cause.__name__ if cause else ""


def _lines(text: str) -> str:
    return "<br/>".join(wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False))


if __name__ == "__main__":
    PAGE.write_text(with_diagrams(PAGE.read_text()))
