"""Models of losses, curves and costs that strategies and evaluators share."""
