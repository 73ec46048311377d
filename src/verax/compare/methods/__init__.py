"""Methods of uncertainty side by side: of regression on the UCI sets, of classification on an analysis."""
