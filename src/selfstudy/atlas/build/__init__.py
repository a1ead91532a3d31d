"""How the embedded world and its models were made and measured; build time only."""
