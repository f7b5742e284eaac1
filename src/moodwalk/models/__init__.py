"""Networks, classic learners, and what they see of a gait."""
