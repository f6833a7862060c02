"""The pictures of docs/concepts, drawn from the rules.

    python -m tests.pictures     # brings docs/images up to date

Each module draws one picture: it leads a subscription through the billing rules and draws what came of it, so a picture
cannot show another date, amount or key than the code gives. A test says when a picture is out of date.
"""
