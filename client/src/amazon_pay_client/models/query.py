"""How the filters of a list stand in a query: wire names, lists joined by commas."""

import json
from collections.abc import Sequence

from amazon_pay_client.models.wire import RequestModel


class QueryModel(RequestModel):
    """Base of the parameters of a list; checked before they are sent, like a body."""

    def to_query(self) -> Sequence[tuple[str, str]]:
        """The parameters that are set, by their wire names. An empty list is no filter."""
        fields = json.loads(self.to_json())
        return [
            (name, ",".join(map(str, value)) if isinstance(value, list) else str(value))
            for name, value in fields.items()
            if value != []
        ]
