"""Put it into the weights: gaps become examples and pairs, and these an adapter."""
