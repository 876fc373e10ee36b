"""From judged answers to a verdict: shares and changes with their intervals, and thresholds."""
