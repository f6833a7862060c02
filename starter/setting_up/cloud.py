"""What is typed where Temporal Cloud makes a thing only for an administrator of the account.

Sources: Temporal's documentation, "tcld namespace" and "tcld service-account"; the Terraform provider
`temporalio/temporalcloud`, its resources' examples.
"""

import re
from collections.abc import Mapping
from typing import Final

MODULE: Final = "deploy/terraform"

_HOSTS: Final = re.compile(r"\.(tmprl\.cloud|api\.temporal\.io)(:\d+)?$")


def is_cloud(address: str) -> bool:
    """Whether an address is one of Temporal Cloud's: of a namespace, or of a region."""
    return _HOSTS.search(address) is not None


def namespace_lines(namespace: str, retention_days: int) -> tuple[str, ...]:
    """Makes a namespace that is reached by API keys.

    Args:
        namespace: its id, as workers name it: the name, a dot, and the account.
        retention_days: how long it keeps what has ended.
    """
    name = namespace.partition(".")[0]
    made = f"tcld namespace create --namespace {name} --region YOUR-REGION --auth-method api_key"
    module = f'module "perennial" {{ source = "./{MODULE}", name = "{name}", retention_days = {retention_days} }}'
    return (f"{made} --retention-days {retention_days}", f"# or with Terraform, all of it: {module}")


def retention_lines(namespace: str, retention_days: int) -> tuple[str, ...]:
    """Lets a namespace keep what has ended for so long."""
    return (
        f"tcld namespace retention set --namespace {namespace} --retention-days {retention_days}",
        f"# or in Terraform, of temporalcloud_namespace: retention_days = {retention_days}",
    )


def attribute_lines(namespace: str, missing: Mapping[str, str]) -> tuple[str, ...]:
    """Makes search attributes.

    Args:
        namespace: its id.
        missing: their types by name.
    """
    given = " ".join(f'--search-attribute "{name}={kind}"' for name, kind in missing.items())
    return (
        f"tcld namespace search-attributes add --namespace {namespace} {given}",
        *(
            f'# or in Terraform: resource "temporalcloud_namespace_search_attribute" "{name}" '
            f'{{ namespace_id = "{namespace}", name = "{name}", type = "{kind}" }}'
            for name, kind in missing.items()
        ),
    )
