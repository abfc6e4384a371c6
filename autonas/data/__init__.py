"""From a person's X and y to folds and arrays that learners read."""
