"""From what was recorded to a walk: joints, frame, gaps, quality."""
