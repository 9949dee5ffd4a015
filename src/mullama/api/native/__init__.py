"""What no dialect of its own has: reranking, and the small tools around tokens and templates."""
