"""How pages are fetched: from checked addresses, by the rules of the sites, within limits, and kept."""
