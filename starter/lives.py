"""What is said of a charge permission under which a subscription has lived before."""

from shlex import quote

from perennial_billing.ledger.lives import EarlierLife


def ended_before(charge_permission_id: str) -> str:
    """Of a subscription that came to its end."""
    return (
        f"charge permission {charge_permission_id}: its subscription has ended by itself, and is not brought back; "
        "billing goes on under the charge permission of a new checkout"
    )


def not_ended(life: EarlierLife) -> str:
    """Why nothing is started where a subscription has not ended by the ledger, and Temporal has forgotten it."""
    found = life.found
    return (
        f"charge permission {found.charge_permission_id}: a subscription has lived under it, and has not ended: it was "
        f"{_status(life)} at {found.as_of:%Y-%m-%d %H:%M} UTC by the ledger, and Temporal does not know it any more; "
        f"`perennial recover {found.charge_permission_id}` says how it goes on"
    )


def kept_in_ledger(life: EarlierLife) -> str:
    """Of a subscription that Temporal has forgotten, and the ledger has kept."""
    found = life.found
    return (
        f"charge permission {found.charge_permission_id}: Temporal does not know its subscription any more. The ledger "
        f"has kept all that it knew at {found.as_of:%Y-%m-%d %H:%M} UTC, when it was {_status(life)}: "
        f"`perennial recover {found.charge_permission_id} --from-ledger` brings it back. Make sure that it runs in no "
        "other namespace"
    )


def forgotten(life: EarlierLife) -> str:
    """What is known of a subscription that Temporal has forgotten, and how it goes on as a new one."""
    found = life.found
    paid = "no period was paid"
    if life.last_paid is not None:
        due = f", due {life.last_paid_due:%Y-%m-%d %H:%M} UTC" if life.last_paid_due else ""
        paid = f"period {life.last_paid}{due}, was paid last"
    owed = f"; what fell due {found.past_due_since:%Y-%m-%d %H:%M} UTC is owed" if found.past_due_since else ""
    return (
        f"charge permission {found.charge_permission_id}: Temporal does not know its subscription any more, so what "
        "it knew cannot be brought back (open attempts, credit, changes to come). By the ledger it was "
        f"{_status(life)} at {found.as_of:%Y-%m-%d %H:%M} UTC; {paid}{owed}; {_next(life)}. Look at the charge "
        "permission in Seller Central: what was charged since is in no account. Then it goes on as a new one, with "
        "idempotency keys of its own: "
        f"{start_line(life)}"
    )


def start_line(life: EarlierLife) -> str:
    """The command that begins a new life where the last one stood; a part that is not known stands in capitals."""
    found = life.found
    anchor = found.past_due_since or found.next_charge_at
    words = ["perennial", "start", found.charge_permission_id]
    if found.price is not None and life.every is not None:
        words += ["--amount", quote(str(found.price)), "--every", quote(life.every), "--plan-id", quote(found.plan_id)]
    else:
        words += ["--plan", "PLAN_FILE"]
    if found.quantity is not None and found.quantity > 1:
        words += ["--quantity", str(found.quantity)]
    words += ["--anchor", f"{anchor:%Y-%m-%dT%H:%M:%SZ}" if anchor else "NEXT_DUE", "--zone", "ZONE"]
    if found.merchant_reference:
        words += ["--reference", quote(found.merchant_reference)]
    words += ["--account", found.merchant_account, "--new-life"]
    return f"`{' '.join(words)}`"


def _next(life: EarlierLife) -> str:
    at = life.found.next_charge_at
    return f"the next period was to be charged {at:%Y-%m-%d %H:%M} UTC" if at else "no next charge was set"


def _status(life: EarlierLife) -> str:
    return life.found.status.value.replace("_", " ") if life.found.status else "begun"
