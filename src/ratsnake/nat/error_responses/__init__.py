"""Who is told about a refusal, when, and how often."""
