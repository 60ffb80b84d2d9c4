"""Define bare networks, as training uses them; the adapters in the folder above freeze and wrap them."""
