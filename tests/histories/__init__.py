"""Histories that earlier builds wrote, and what they did then: kept, so that a change of the workflow is seen.

A replay of what the same code has just written cannot notice that the code has changed, and no replay notices changed
durations, arguments or timeouts. So histories are kept in which anything comes after anything that stories know, with
every command that was made and how the subscription stood in the end, in `<version>/stories.tar.xz`:
`python -m tests.histories` makes it anew.
"""
