"""What the estimators of all kinds share with scikit-learn."""
