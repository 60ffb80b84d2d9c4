"""Bare networks, as training would use them; the adapters beside this folder freeze and wrap them."""
