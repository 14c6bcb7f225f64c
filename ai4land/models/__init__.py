"""Models behind one interface: fit on a split, give class probabilities for a batch, save, load.

Each file is imported by itself: networks bring PyTorch, trees XGBoost, the forest scikit-learn; the baselines neither.
"""
