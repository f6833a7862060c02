"""The rules of subscription billing, pure: no I/O, no clock, no Temporal.

A subscription is a state machine: an event goes in (`protocol.events`), the next command comes out
(`protocol.commands`), and whoever performs it reports what came of it as the next event. Everything here is a frozen
value or a function of its arguments, so that a workflow can use it deterministically and a table can test it.

Owns: money and calendars, plans and contracts, what a refusal means, what is done next and what the merchant is told.
Does not decide: how a command is performed, when anybody wakes, how anything is shown.

- `plan`: what a merchant sells, and the policy for a charge that fails
- `contract`: what was agreed with one buyer, and the periods that follow from it
- `protocol`: the words spoken with the outside: commands, events, answers, notices
- `dunning`: what each reason code means, the rules that follow, and the schedules
- `parts`: the frozen values that a subscription is made of, each with its own transitions
- `subscription`: the parts put together; `agenda`: what it does next; `machine`: what an event makes of it
- `couplings`: what one part's news means to the others
- `changes`: what a merchant may ask of a running subscription, one request a class
- `view`: what others may read of it
- `forecast`: the rules run forward: what is charged next, and what a policy would do
"""
