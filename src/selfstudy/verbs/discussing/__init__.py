"""Expert discussions: two models talk about topics, rate each other, and give preference pairs."""
