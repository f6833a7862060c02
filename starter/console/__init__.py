"""The console: pages for people who answer a merchant's customers.

Owns: who is at it, forms, and words. Holds no rule of billing: what is asked is asked of `starter.client` as the HTTP
API asks it, what is found is found in the ledger, and what goes wrong is one of the API's problems in HTML.
"""
