"""Looking for what is left of a forgotten fact: token lens, attacks, relearning, rounding, weights. No run known."""
