"""The keeping, and the serving. Start with `ledger.ledger`; the words are in `ledger.v1`."""
