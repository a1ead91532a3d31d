"""What does it not know?  Questions, answers, scores."""
