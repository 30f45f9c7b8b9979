"""On-demand functions, one module a domain: what is computed from a request and stored values.

They import no Feast, so that a server that calls them starts without it.
"""
