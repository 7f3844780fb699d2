"""A model that is saved whole, with its class and what it remembers, and what follows from that for a resume."""
